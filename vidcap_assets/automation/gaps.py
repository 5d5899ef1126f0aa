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
    tags = run.tags
    if PARTITION in tags:
        return tags[PARTITION], tags[PARTITION]
    if RANGE_START in tags and RANGE_END in tags:
        return tags[RANGE_START], tags[RANGE_END]
    return None


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

    With ``automation.redo_changed`` also those for which one was made by other settings than it has now.
    Shards that a run or a backfill has, or will have, are not among them.
    """
    order = known_shards(instance, collection)
    reasons: dict[str, str] = {}
    busy = shards_under_way(instance, order)
    versions = collection.versions if collection.automation.redo_changed else {}
    for asset in assets:
        made_by = _code_versions(instance, collection.key(asset)) if asset in versions else {}
        statuses = instance.get_status_by_partition(collection.key(asset), order, collection.shards) or {}
        for shard in order:
            status = statuses.get(shard)
            if status is dg.AssetPartitionStatus.IN_PROGRESS:
                busy.add(shard)
            elif status is None:
                reasons.setdefault(shard, f"{asset} {MISSING}")
            elif status is dg.AssetPartitionStatus.FAILED:
                reasons.setdefault(shard, f"{asset} failed")
            elif made_by.get(shard) != versions.get(asset):
                reasons.setdefault(shard, f"{asset} made by other settings")
    return {shard: reasons[shard] for shard in order if shard in reasons and shard not in busy}


def _code_versions(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str | None, str | None]:
    """By which version of its recipe each shard of an asset was made last."""
    made, storage = dg.DagsterEventType.ASSET_MATERIALIZATION, instance.event_log_storage
    last = storage.get_latest_storage_id_by_partition(key, made)
    records = storage.get_event_records(dg.EventRecordsFilter(made, key, storage_ids=[*last.values()]))
    found = (record.asset_materialization for record in records)
    return {one.partition: (one.tags or {}).get("dagster/code_version") for one in found if one is not None}
