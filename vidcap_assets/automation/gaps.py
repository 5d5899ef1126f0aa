"""What is left to do, and what is being done, as the instance knows it."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from vidcap_assets.assets.partitions import shards

MISSING = "missing"


def known_shards(instance: dg.DagsterInstance) -> list[str]:
    """The shards that are partitions, in the order in which a range counts them."""
    return list(shards.get_partition_keys(dynamic_partitions_store=instance))


def shards_named(run: dg.DagsterRun) -> tuple[str, str] | None:
    """The first and the last shard that a run is for, ``None`` where it is for none in particular."""
    tags = run.tags
    if PARTITION_NAME_TAG in tags:
        return tags[PARTITION_NAME_TAG], tags[PARTITION_NAME_TAG]
    if ASSET_PARTITION_RANGE_START_TAG in tags and ASSET_PARTITION_RANGE_END_TAG in tags:
        return tags[ASSET_PARTITION_RANGE_START_TAG], tags[ASSET_PARTITION_RANGE_END_TAG]
    return None


def shards_under_way(instance: dg.DagsterInstance) -> set[str]:
    """The shards of all runs that are queued or running, and those that a backfill has yet to start."""
    order = known_shards(instance)
    place = {shard: index for index, shard in enumerate(order)}
    busy: set[str] = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)):
        named = shards_named(run)
        if named is not None and named[0] in place and named[1] in place:
            busy.update(order[place[named[0]] : place[named[1]] + 1])
    return busy | _shards_of_backfills(instance)


def _shards_of_backfills(instance: dg.DagsterInstance) -> set[str]:
    """What is left of the backfills that go on: they start their runs a few at a time."""
    from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

    left: set[str] = set()
    for backfill in instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])):
        if backfill.asset_backfill_data is not None:
            to_do = backfill.asset_backfill_data.get_targeted_partitions_without_materialization_status()
            for subset in to_do.partitions_subsets_by_asset_key.values():
                left.update(subset.get_partition_keys())
        else:
            names = list(backfill.partition_names or [])
            last = backfill.last_submitted_partition_name
            left.update(names[names.index(last) + 1 :] if last in names else names)
    return left


def unfinished_shards(instance: dg.DagsterInstance, assets: Sequence[str]) -> dict[str, str]:
    """The shards for which one of ``assets`` is missing or failed, with the reason (``captions_llava failed``).

    Shards that a run or a backfill has, or will have, are not among them.
    """
    order = known_shards(instance)
    reasons: dict[str, str] = {}
    busy = shards_under_way(instance)
    for asset in assets:
        statuses = instance.get_status_by_partition(dg.AssetKey(asset), order, shards) or {}
        for shard in order:
            status = statuses.get(shard)
            if status is AssetPartitionStatus.IN_PROGRESS:
                busy.add(shard)
            elif status is None:
                reasons.setdefault(shard, f"{asset} {MISSING}")
            elif status is AssetPartitionStatus.FAILED:
                reasons.setdefault(shard, f"{asset} failed")
    return {shard: reasons[shard] for shard in order if shard in reasons and shard not in busy}
