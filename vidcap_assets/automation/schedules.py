"""What happens by the clock: gaps are filled at night, the dataset is published once a week."""

from collections.abc import Sequence

import dagster as dg

from vidcap_assets.automation.gaps import MISSING, known_shards, unfinished_shards
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.collection.shards import contiguous, shard_tags
from vidcap_assets.dagster_private import UnresolvedAssetJobDefinition

NIGHTLY = "0 2 * * *"
WEEKLY = "0 6 * * 0"
TIMEZONE = "UTC"
RUNS_PER_NIGHT = 50
MERGED = "captioned_videos"
PUBLISHED = "training_set"


def gap_schedule(
    collection: CollectionSettings,
    job: UnresolvedAssetJobDefinition,
    assets: Sequence[str],
    cron: str = NIGHTLY,
) -> dg.ScheduleDefinition:
    """The schedule that runs ``job`` for shards of which one of ``assets`` is missing or failed.

    Neighbouring shards share a run, at most ``shards_per_run`` of them; shards that a run or a backfill has, and
    partitions that are no shard of the lake, are left alone; what does not fit into one night is left to the next.
    What was never tried comes first, and those that go on failing take turns, so that they cannot keep the others
    waiting.
    """
    running = collection.automation.mode == "schedules"

    @dg.schedule(
        name=collection.label("nightly_gaps"),
        job=job,
        cron_schedule=cron,
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        description=f"Runs {job.name} for shards that are missing or failed, "
        f"at most {collection.shards_per_run} in a run.",
    )
    def nightly_gaps(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        there = collection.lake_block.open().shards()
        collection.shards.register(context.instance, there)
        order = known_shards(context.instance, collection)
        unfinished = unfinished_shards(context.instance, collection, assets)
        reasons = {shard: unfinished[shard] for shard in there if shard in unfinished}
        if not reasons:
            return dg.SkipReason(f"none of {len(there)} shards is missing or failed, or a run has it already")
        night = context.scheduled_execution_time.strftime("%Y-%m-%d %H:%M")
        missing = {shard for shard, reason in reasons.items() if reason.endswith(MISSING)}
        failed = contiguous(order, reasons.keys() - missing, collection.shards_per_run)
        turn = context.scheduled_execution_time.toordinal() * RUNS_PER_NIGHT % max(1, len(failed))
        ranges = [
            *contiguous(order, missing, collection.shards_per_run),
            *failed[turn:],
            *failed[:turn],
        ]
        return [
            dg.RunRequest(
                f"{night} {some[0]}..{some[-1]}",
                tags={**shard_tags(some), "vidcap/gap": reasons[some[0]]},
            )
            for some in ranges[:RUNS_PER_NIGHT]
        ]

    return nightly_gaps


def publish_schedule(
    collection: CollectionSettings, job: UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """The schedule that publishes the dataset where anything was merged since it was last published."""
    running = collection.automation.mode == "schedules"

    @dg.schedule(
        name=collection.label("weekly_publish"),
        job=job,
        cron_schedule=WEEKLY,
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        description=f"Runs {job.name} where anything was merged since it last did.",
    )
    def weekly_publish(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        merged, published = (_last(context.instance, collection.key(asset)) for asset in (MERGED, PUBLISHED))
        if merged is None:
            return dg.SkipReason("nothing has been merged yet")
        if published is not None and published > merged:
            return dg.SkipReason("nothing was merged since the dataset was last published")
        return dg.RunRequest(context.scheduled_execution_time.strftime("%Y-%m-%d"))

    return weekly_publish


def _last(instance: dg.DagsterInstance, asset: dg.AssetKey) -> float | None:
    """When this asset was last materialised, in seconds since 1970."""
    event = instance.get_latest_materialization_event(asset)
    return event.timestamp if event is not None else None
