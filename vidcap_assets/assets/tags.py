"""Tags: the objects and actions that a caption names, read by one language model for both."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg

from vidcap_assets.annotate_config import AnnotateConfig, check_specs
from vidcap_assets.columns import ANNOTATION, CAPTION_VALUES, annotation_lineage
from vidcap_assets.partitions import shards
from vidcap_assets.policies import GPU_POOL, RETRY, SEVERAL_SHARDS
from vidcap_assets.resources import LakeResource, TaggerResource, TextResource

if TYPE_CHECKING:
    from resources.caption_text import CaptionText
    from resources.lake import Lake
    from resources.tagger import Tagger
    from vidcap_assets.annotate import Events

TAGS = {
    "tags_objects": "The objects that the caption names.",
    "tags_actions": "The actions that the caption names.",
}
_PREPARE_WORKERS = 1


@dg.multi_asset(
    name="tags",
    specs=[
        dg.AssetSpec(
            name,
            deps=["raw_meta", "captions_pllava", "captions_llava", "captions_gpt4v"],
            description=f"{description} An empty list is an answer: the caption names none.",
            group_name="tags",
            kinds={"pytorch", "huggingface"},
            skippable=True,
            metadata={
                "dagster/column_schema": ANNOTATION,
                "dagster/column_lineage": annotation_lineage(*CAPTION_VALUES, ("raw_meta", "text")),
            },
        )
        for name, description in TAGS.items()
    ],
    partitions_def=shards,
    can_subset=True,
    pool=GPU_POOL,
    retry_policy=RETRY,
    backfill_policy=SEVERAL_SHARDS,
    check_specs=[spec for name in TAGS for spec in check_specs(name)],
)
def tags(
    context: dg.AssetExecutionContext,
    config: AnnotateConfig,
    lake: LakeResource,
    tagger: TaggerResource,
    text: TextResource,
):
    """Read the tags out of the text of each clip; both assets share one loaded model."""
    from vidcap_assets.annotate import failing_clearly

    store = lake.open()
    failures: list[dg.Failure] = []
    with failing_clearly("tags"):
        model = tagger.tagger(store)
        try:
            for name in TAGS:
                if dg.AssetKey(name) in context.selected_asset_keys:
                    try:
                        yield from _tag(context, name, config, store, model, text.order)
                    except dg.Failure as unfinished:
                        failures.append(unfinished)
        finally:
            model.close()
    if failures:
        raise dg.Failure(
            "; ".join(failure.description or "" for failure in failures),
            allow_retries=any(failure.allow_retries for failure in failures),
        )


def _tag(
    context: dg.AssetExecutionContext,
    name: str,
    config: AnnotateConfig,
    lake: "Lake",
    model: "Tagger",
    order: Sequence[str],
) -> "Events":
    from resources.caption_text import caption_texts
    from resources.tagger import TagAnnotator
    from vidcap_assets.annotate import AnnotationStep, ShardTask

    def task(shard: str) -> ShardTask:
        texts = caption_texts(lake, shard, order)
        clips = [
            replace(clip, text=texts[clip.id].text if clip.id in texts else None)
            for clip in lake.clips(shard)
        ]
        annotator = TagAnnotator(
            key=name.removeprefix("tags_"), tagger=model, text_from=_provenance(texts, order)
        )
        return ShardTask(annotator, clips)

    yield from AnnotationStep(context, name, config, lake, _PREPARE_WORKERS).run(task)


def _provenance(texts: "dict[str, CaptionText]", order: Sequence[str]) -> dict[str, str | None]:
    """The captioner whose words are read in this shard, with the fingerprint of its recipe.

    Where some clips fall back to another captioner, the most preferred one stands for the shard: a clip that
    changes from one to the other is read again because its words changed, and no other clip is.
    """
    from resources.caption_text import SOURCE

    sources = {text.source: text.fingerprint for text in texts.values()}
    best = next((name for name in (*order, SOURCE) if name in sources), None)
    return {best: sources[best]} if best else {}
