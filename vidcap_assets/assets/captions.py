"""Captions: one asset a captioner, all built alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from resources.annotation.annotator import Annotator
from resources.lake import META, Lake
from vidcap_assets.annotate import AnnotateConfig, ShardTask, annotate_shards, check_specs, failing_clearly
from vidcap_assets.columns import ANNOTATION
from vidcap_assets.partitions import shards
from vidcap_assets.policies import GPU_POOL, OPENAI_POOL, RETRY, SEVERAL_SHARDS
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
        deps=[META],
        description=_DESCRIPTION.format(summary=summary),
        group_name="captions",
        kinds=kinds,
        pool=pool,
        required_resource_keys={resource, "lake", "decode"},
        output_required=False,
        retry_policy=RETRY,
        backfill_policy=SEVERAL_SHARDS,
        check_specs=check_specs(name),
        metadata={"dagster/column_schema": ANNOTATION},
    )
    def captions(context: dg.AssetExecutionContext, config: AnnotateConfig):
        decode: DecodeResource = context.resources.decode
        lake: LakeResource = context.resources.lake
        store = lake.open()
        with (
            failing_clearly(name),
            _captioner(getattr(context.resources, resource), decode, store, context.run_id) as captioner,
        ):
            yield from annotate_shards(
                context,
                name,
                config,
                store,
                lambda shard: ShardTask(captioner, store.clips(shard)),
                decode.worker_count,
            )

    return captions


@contextmanager
def _captioner(resource: Any, decode: DecodeResource, lake: Lake, run_id: str) -> Iterator[Annotator]:
    with decode.frames() as frames:
        captioner = resource.captioner(frames, lake, run_id)
        try:
            yield captioner
        finally:
            captioner.close()


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
