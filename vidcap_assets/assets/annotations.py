"""The assets of every annotator, all built alike from what it declares."""

import dagster as dg

from resources.annotation.declaration import PIXELS, TEXT, AnnotatorSettings, Role, Scene
from resources.annotation.tables import ANNOTATION
from resources.demo.source import CLIPS
from vidcap_assets.assets import shard_check
from vidcap_assets.assets.annotate_config import AnnotateConfig, check_specs
from vidcap_assets.assets.checks import CAPTION_CHECKS, LABEL_CHECKS
from vidcap_assets.assets.columns import annotation_lineage, shown
from vidcap_assets.assets.policies import RETRY, told
from vidcap_assets.collection.settings import FREE_JOB, CollectionSettings
from vidcap_assets.dagster_private import LOGGED_ALREADY

CHECKS = {Role.CAPTION: CAPTION_CHECKS, Role.LABEL: LABEL_CHECKS}


def annotation_assets(entry: AnnotatorSettings, collection: CollectionSettings) -> dg.AssetsDefinition:
    """One step with an asset for each declaration; all share what :meth:`AnnotatorSettings.open` loads."""
    declared = entry.declares()
    upstream = {one.asset: collection.upstream(one) for one in declared}
    key, label = collection.key, collection.label
    reads_text = any(TEXT in one.reads for one in declared)

    @dg.multi_asset(
        name=label(entry.step),
        specs=[
            dg.AssetSpec(
                key(one.asset),
                deps=[key(name) for name in ("raw_meta", *upstream[one.asset])],
                description=one.meaning,
                group_name=one.role.value,
                kinds=set(entry.icons),
                code_version=entry.recipe_version(
                    *collection.read_order(collection.text.order) if TEXT in one.reads else ()
                ),
                tags={name: "" for name in (entry.pool, "paid" if entry.paid else None) if name},
                skippable=True,
                metadata={
                    "settings": dg.MetadataValue.json(entry.shown()),
                    "dagster/column_schema": shown(ANNOTATION),
                    "dagster/column_lineage": annotation_lineage(
                        key, ("raw_meta", "path"), *((name, "value") for name in upstream[one.asset])
                    ),
                },
            )
            for one in declared
        ],
        partitions_def=collection.shards,
        can_subset=len(declared) > 1,
        pool=entry.pool,
        required_resource_keys={
            label(name) for name in (entry.key, "lake", "decode", *["text"] * reads_text)
        },
        retry_policy=RETRY,
        backfill_policy=collection.backfill_policy,
        check_specs=[
            spec
            for one in declared
            for spec in check_specs(key(one.asset), CHECKS.get(one.role, ()), collection.shards)
        ],
    )
    def annotate(context: dg.AssetExecutionContext, config: AnnotateConfig):
        from resources.lake.inputs import Inputs
        from vidcap_assets.assets.annotating import AnnotationStep

        job = label(f"{FREE_JOB}_{entry.name}")
        others = {key(one.asset) for one in collection.declared if one not in declared}
        alone = others.isdisjoint(context.job_def.asset_layer.executable_asset_keys)
        if entry.paid and context.job_name != job and not alone:  # *Materialize all*
            context.log.warning(
                f"{entry.name} costs money, so only the job {job}, or a run for it alone, asks it"
            )
            for asset in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=asset, metadata=LOGGED_ALREADY)
            for check in context.selected_asset_check_keys:
                yield shard_check.output(check.asset_key, check.name)
            return
        lake, decode = collection.given(context, "lake").open(), collection.given(context, "decode")
        now: AnnotatorSettings = collection.given(context, entry.key)
        if changed := {name: value for name, value in now if value != getattr(entry, name)}:
            context.log.info(f"{entry.step}: run configuration overrides the collection file: {changed}")
        order = collection.read_order(collection.given(context, "text").order) if reads_text else []
        failures: list[dg.Failure] = []
        with (
            told(context, f"{entry.step}: "),
            decode.frames() as (frames, workers),
            now.open(Scene(frames, workers, lake, context.run_id, context.log.info)) as annotators,
        ):
            for one in declared:
                if key(one.asset) in context.selected_asset_keys:
                    read = order if TEXT in one.reads else upstream[one.asset]
                    ahead, seen = (decode.worker_count, frames) if PIXELS in one.reads else (1, None)
                    step = AnnotationStep(
                        context,
                        collection,
                        one.asset,
                        config,
                        lake,
                        now.recipe_version(*order if TEXT in one.reads else ()),
                        ahead,
                        CHECKS.get(one.role, ()),
                        seen,
                        Inputs(one.reads, tuple(read)),
                        CLIPS if entry.name in collection.demo_by_default and now.uses_demo_model else None,
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
