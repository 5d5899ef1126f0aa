"""What an annotation asset can be told, and what it checks: known before anything is loaded."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from resources.annotation.outcome import ErrorKind, Redo
from vidcap_assets.assets.checks import QualityCheck, QualityConfig
from vidcap_assets.assets.shard_check import spec

ACCOUNTING = "accounting"
FAILED_SHARE = "failed_share"


class AnnotateConfig(QualityConfig):
    """How an annotation asset treats what is there already, and what it accepts."""

    redo: Redo = Field(
        default=Redo.NOTHING,
        description="Which recorded outcomes of the same recipe to do again: NOTHING, FAILED or ALL.",
    )
    redo_kinds: list[ErrorKind] = Field(
        default=[],
        description="With redo: FAILED, only failures of these kinds (decode_error, refused, ...); empty for all.",
    )
    max_failed_share: float = Field(
        default=0.5,
        description="A shard in which a larger share of the readable clips failed does not pass its check.",
    )
    lock_timeout_s: float = Field(
        default=600.0,
        description="Seconds to wait for another process that is annotating the same shard.",
    )


def check_specs(
    asset: dg.AssetKey, quality: Sequence[QualityCheck], shards: dg.PartitionsDefinition
) -> list[dg.AssetCheckSpec]:
    """What an annotation asset evaluates for each shard it finishes: two blocking checks, and its own."""
    accounting = "Every clip of the shard has exactly one row with exactly one terminal status."
    failed = "Not more than the accepted share of the readable clips failed."
    return [
        spec(asset, ACCOUNTING, shards, accounting),
        spec(asset, FAILED_SHARE, shards, failed),
        *(spec(asset, check.name, shards, check.description, blocking=False) for check in quality),
    ]
