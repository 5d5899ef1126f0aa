"""The assets of every annotator, all built alike from what it declares."""

import dagster as dg

from resources.annotation.declaration import PIXELS, AnnotatorSettings, Role, Scene
from vidcap_assets.assets.annotate_config import AnnotateConfig, check_specs
from vidcap_assets.assets.checks import CAPTION_CHECKS, LABEL_CHECKS
from vidcap_assets.assets.columns import ANNOTATION, annotation_lineage
from vidcap_assets.assets.partitions import shards
from vidcap_assets.assets.policies import RETRY, SEVERAL_SHARDS
from vidcap_assets.collection.settings import CollectionSettings

CHECKS = {Role.CAPTION: CAPTION_CHECKS, Role.LABEL: LABEL_CHECKS}


def annotation_assets(entry: AnnotatorSettings, collection: CollectionSettings) -> dg.AssetsDefinition:
    """One step with an asset for each declaration; all share what :meth:`AnnotatorSettings.open` loads."""
    declared = entry.declares()
    upstream = {one.asset: collection.upstream(one) for one in declared}

    @dg.multi_asset(
        name=entry.step,
        specs=[
            dg.AssetSpec(
                one.asset,
                deps=["raw_meta", *upstream[one.asset]],
                description=one.meaning,
                group_name=one.role,
                kinds=set(entry.icons),
                skippable=True,
                metadata={
                    "settings": entry.model_dump(mode="json"),
                    "dagster/column_schema": ANNOTATION,
                    "dagster/column_lineage": annotation_lineage(
                        ("raw_meta", "path"), *((name, "value") for name in upstream[one.asset])
                    ),
                },
            )
            for one in declared
        ],
        partitions_def=shards,
        can_subset=len(declared) > 1,
        pool=entry.pool,
        required_resource_keys={entry.key, "lake", "decode"},
        retry_policy=RETRY,
        backfill_policy=SEVERAL_SHARDS,
        check_specs=[spec for one in declared for spec in check_specs(one.asset, CHECKS.get(one.role, ()))],
    )
    def annotate(context: dg.AssetExecutionContext, config: AnnotateConfig):
        from resources.lake.inputs import Inputs
        from vidcap_assets.assets.annotating import AnnotationStep, failing_clearly

        lake, decode = context.resources.lake.lake.open(), context.resources.decode
        now: AnnotatorSettings = getattr(context.resources, entry.key)
        if changed := {name: value for name, value in now if value != getattr(entry, name)}:
            context.log.info(f"{entry.step}: run configuration overrides the collection file: {changed}")
        failures: list[dg.Failure] = []
        with failing_clearly(entry.step), decode.frames() as (frames, workers):
            with now.open(Scene(frames, workers, lake, context.run_id, context.log.info)) as annotators:
                for one in declared:
                    if dg.AssetKey(one.asset) in context.selected_asset_keys:
                        inputs = Inputs(one.reads, tuple(upstream[one.asset]))
                        ahead, seen = (decode.worker_count, frames) if PIXELS in one.reads else (1, None)
                        step = AnnotationStep(
                            context, one.asset, config, lake, ahead, CHECKS.get(one.role, ()), seen, inputs
                        )
                        try:
                            yield from step.run(annotators[one.asset])
                        except dg.Failure as unfinished:
                            failures.append(unfinished)
        if failures:
            raise dg.Failure(
                "; ".join(failure.description or "" for failure in failures),
                allow_retries=any(failure.allow_retries for failure in failures),
            )

    return annotate
