"""What is wrong with the answers of a shard, judged from the words alone: checks that warn and stop nothing.

They are evaluated inside the step, for each shard right after it is finished, on the rows it has in memory
anyway; a check of its own would be a process for each shard.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
from pydantic import Field

from resources.annotation.clip import Clip
from resources.annotation.outcome import Status
from resources.annotation.recipe import Recipe
from resources.words import quality as quality
from resources.words.markdown import plain
from resources.words.quality import Caption, Flaw

if TYPE_CHECKING:
    import pyarrow as pa

_WORST = 10
_EXCERPT = 200


class QualityConfig(dg.Config):
    """What the checks of an annotator's answers accept."""

    max_flawed_share: float = Field(
        default=0.05,
        description="A check of the answers does not pass where a larger share of them has its flaw.",
    )
    quality_severity: dg.AssetCheckSeverity = Field(
        default=dg.AssetCheckSeverity.WARN,
        description="How a check of the answers that does not pass is shown; it never stops anything.",
    )
    languages: list[str] = Field(default=["en"], description="Languages a caption may be in (en, de, zh, …).")


@dataclass(frozen=True)
class QualityCheck:
    """One rule about the answers of a shard; ``by`` names what it is judged by beside the answers."""

    name: str
    description: str
    rule: Callable[..., Iterator[Flaw]]
    by: Literal["prompts", "sentences", "languages", "labels"] | None = None


CAPTION_CHECKS = (
    QualityCheck("complete", "Captions have words and did not end at the token limit.", quality.incomplete),
    QualityCheck("no_repetition", "Captions do not go round in circles.", quality.repetitive),
    QualityCheck(
        "no_prompt_echo", "Captions do not repeat the prompt or its examples.", quality.echoes, "prompts"
    ),
    QualityCheck(
        "sentence_limit",
        "Captions keep to the sentences that the prompt allows.",
        quality.too_long,
        "sentences",
    ),
    QualityCheck(
        "distinct", "Clips with different content have different captions.", quality.near_duplicates
    ),
    QualityCheck("language", "Captions are in the languages asked for.", quality.wrong_language, "languages"),
)
LABEL_CHECKS = (
    QualityCheck(
        "vocabulary", "Every label is one of the known ones, once.", quality.foreign_labels, "labels"
    ),
)


def judge(
    asset: dg.AssetKey,
    checks: Sequence[QualityCheck],
    shard: str,
    clips: Sequence[Clip],
    outcomes: "pa.Table",
    recipe: Recipe,
    config: QualityConfig,
) -> Iterator[dg.AssetCheckEvaluation]:
    """Evaluate the checks on the answers of a shard (``outcomes``: columns of OUTCOME_SCHEMA)."""
    if not checks:
        return
    from resources.camera_motion.classify import Label

    prompts = quality.prompts_in(recipe.settings)
    given: dict[str, Any] = {
        "prompts": prompts,
        "sentences": quality.sentence_limit(prompts),
        "languages": config.languages,
        "labels": frozenset(Label),
    }
    names = ["id", "value", "status", "finish_reason", "input_key"]
    rows = zip(*(outcomes[name].to_pylist() for name in names), strict=True)
    captions = [
        Caption(clip_id, value or "", finish_reason, source)
        for clip_id, value, status, finish_reason, source in rows
        if status == Status.OK
    ]
    text = {caption.id: caption.text for caption in captions}
    path = {clip.id: clip.path for clip in clips}
    for check in checks:
        flaws = list(check.rule(captions, *([given[check.by]] if check.by else [])))
        worst = sorted(flaws, key=lambda flaw: (-flaw.severity, flaw.id))[:_WORST]
        share = len(flaws) / len(captions) if captions else 0.0
        metadata: dict[str, dg.MetadataValue] = {
            "answers": dg.MetadataValue.int(len(captions)),
            "flawed": dg.MetadataValue.int(len(flaws)),
            "flawed_share": dg.MetadataValue.float(share),
            "limit": dg.MetadataValue.float(config.max_flawed_share),
        }
        if worst:
            lines = (
                f"1. [{plain(flaw.id)}]({path[flaw.id].absolute().as_uri()}) {plain(flaw.reason)}: "
                f"*{plain(text[flaw.id], _EXCERPT)}*"
                for flaw in worst
            )
            metadata["worst"] = dg.MetadataValue.md("\n".join(lines))
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=check.name,
            passed=share <= config.max_flawed_share,
            metadata=metadata,
            severity=config.quality_severity,
            description=f"{len(flaws)} of {len(captions)} answers"
            + (f", for example {worst[0].id}: {worst[0].reason}" if worst else ""),
            blocking=False,
            partition=shard,
        )
