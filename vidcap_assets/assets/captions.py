"""Captions: one asset a captioner, all built alike."""

from contextlib import closing

import dagster as dg

from vidcap_assets.annotate_config import AnnotateConfig, check_specs
from vidcap_assets.checks import CAPTION_CHECKS
from vidcap_assets.columns import ANNOTATION, annotation_lineage
from vidcap_assets.partitions import shards
from vidcap_assets.policies import GPU_POOL, OPENAI_POOL, RETRY, SEVERAL_SHARDS
from vidcap_assets.preview import contact_sheet
from vidcap_assets.resources import DecodeResource, LakeResource

_DESCRIPTION = """\
{summary}

One row a clip with its status. What was answered before by the same recipe is kept; a changed model, prompt
or frame rule redoes this asset and what reads it, and keeps the old captions in `annotations`.
"""


def captions_asset(resource: str, *, summary: str, kinds: set[str], pool: str) -> dg.AssetsDefinition:
    """The asset ``captions_<resource>``, whose captioner the resource of that name builds."""
    name = f"captions_{resource}"

    @dg.asset(
        name=name,
        partitions_def=shards,
        deps=["raw_meta"],
        description=_DESCRIPTION.format(summary=summary),
        group_name="captions",
        kinds=kinds,
        pool=pool,
        required_resource_keys={resource, "lake", "decode"},
        output_required=False,
        retry_policy=RETRY,
        backfill_policy=SEVERAL_SHARDS,
        check_specs=check_specs(name, CAPTION_CHECKS),
        metadata={
            "dagster/column_schema": ANNOTATION,
            "dagster/column_lineage": annotation_lineage(("raw_meta", "path"), ("raw_meta", "text")),
        },
    )
    def captions(context: dg.AssetExecutionContext, config: AnnotateConfig):
        from vidcap_assets.annotate import AnnotationStep, ShardTask, failing_clearly

        decode: DecodeResource = context.resources.decode
        lake: LakeResource = context.resources.lake
        store = lake.open()
        with (
            failing_clearly(name),
            decode.frames() as frames,
            closing(
                getattr(context.resources, resource).captioner(frames, store, context.run_id)
            ) as captioner,
        ):
            step = AnnotationStep(
                context,
                name,
                config,
                store,
                decode.worker_count,
                CAPTION_CHECKS,
                lambda clips, outcomes: contact_sheet(clips, outcomes, frames),
            )
            yield from step.run(lambda shard: ShardTask(captioner, store.clips(shard)))

    return captions


captions_pllava = captions_asset(
    "pllava",
    summary="Captions by PLLaVA, from four frames pooled in time and space.",
    kinds={"pytorch", "huggingface"},
    pool=GPU_POOL,
)
captions_llava = captions_asset(
    "llava",
    summary="Captions by LLaVA-1.6, from one to three frames.",
    kinds={"pytorch", "huggingface"},
    pool=GPU_POOL,
)
captions_gpt4v = captions_asset(
    "gpt4v",
    summary="Captions by GPT-4V or another server that speaks the OpenAI API. Costs money there.",
    kinds={"openai"},
    pool=OPENAI_POOL,
)
