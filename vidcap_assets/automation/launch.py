"""How the shards of a run are said: neighbours together, as run tags."""

from collections.abc import Collection, Sequence

# How Dagster is told the shards of a run: these tags are part of its contract.
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def shard_tags(shards: Sequence[str]) -> dict[str, str]:
    """The run tags that select one shard, or a contiguous range from the first to the last of several."""
    if len(shards) == 1:
        return {PARTITION: shards[0]}
    return {RANGE_START: shards[0], RANGE_END: shards[-1]}


def contiguous(order: Sequence[str], wanted: Collection[str], at_most: int) -> list[list[str]]:
    """``wanted`` in runs of neighbours in ``order``, none longer than ``at_most``: what range tags can select."""
    ranges: list[list[str]] = []
    current: list[str] = []
    for shard in order:
        if current and (shard not in wanted or len(current) == at_most):
            ranges.append(current)
            current = []
        if shard in wanted:
            current.append(shard)
    return [*ranges, current] if current else ranges
