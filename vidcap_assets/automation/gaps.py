"""What is left to do, and what is being done, as the instance knows it."""

from collections.abc import Sequence

import dagster as dg

from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.collection.shards import PARTITION, RANGE_END, RANGE_START
from vidcap_assets.dagster_private import IN_PROGRESS_RUN_STATUSES, waiting_in_backfills

MISSING = "missing"


def known_shards(instance: dg.DagsterInstance, collection: CollectionSettings) -> list[str]:
    """The shards that are partitions, in the order in which a range counts them."""
    return list(collection.shards.get_partition_keys(dynamic_partitions_store=instance))


def shards_named(run: dg.DagsterRun) -> tuple[str, str] | None:
    """The first and the last shard that a run is for, ``None`` where it is for none in particular."""
    names = [run.tags[tag] for tag in (PARTITION, RANGE_START, RANGE_END) if tag in run.tags]
    return (names[0], names[-1]) if names else None


def shards_under_way(instance: dg.DagsterInstance, order: Sequence[str]) -> set[str]:
    """The shards of all runs that are queued or running, and those that a backfill has yet to start."""
    place = {shard: index for index, shard in enumerate(order)}
    busy = set(waiting_in_backfills(instance))
    for run in instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)):
        named = shards_named(run)
        if named is not None and named[0] in place and named[1] in place:
            busy.update(order[place[named[0]] : place[named[1]] + 1])
    return busy


def unfinished_shards(
    instance: dg.DagsterInstance, collection: CollectionSettings, assets: Sequence[str]
) -> dict[str, str]:
    """The shards for which one of ``assets`` is missing or failed, with the reason (``camera_motion failed``).

    Shards that a run or a backfill has, or will have, are not among them.
    """
    order = known_shards(instance, collection)
    reasons: dict[str, str] = {}
    busy = shards_under_way(instance, order)
    for asset in assets:
        statuses = instance.get_status_by_partition(collection.key(asset), order, collection.shards) or {}
        for shard in order:
            status = statuses.get(shard)
            if status is dg.AssetPartitionStatus.IN_PROGRESS:
                busy.add(shard)
            elif status is None:
                reasons.setdefault(shard, f"{asset} {MISSING}")
            elif status is dg.AssetPartitionStatus.FAILED:
                reasons.setdefault(shard, f"{asset} failed")
    return {shard: reasons[shard] for shard in order if shard in reasons and shard not in busy}
