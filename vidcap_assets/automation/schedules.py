"""What happens by the clock: gaps are filled at night, the dataset is published once a week."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from vidcap_assets.assets.partitions import register
from vidcap_assets.assets.policies import SHARDS_PER_RUN
from vidcap_assets.automation.gaps import MISSING, known_shards, unfinished_shards
from vidcap_assets.automation.launch import contiguous, shard_tags
from vidcap_assets.automation.switch import NIGHTLY, TIMEZONE, WEEKLY, Automation, schedule_status
from vidcap_assets.collection import environment

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

RUNS_PER_NIGHT = 50
MERGED = "captioned_videos"
PUBLISHED = "training_set"


def gap_schedule(
    job: "UnresolvedAssetJobDefinition", assets: Sequence[str], cron: str = NIGHTLY
) -> dg.ScheduleDefinition:
    """The schedule that runs ``job`` for shards of which one of ``assets`` is missing or failed.

    Neighbouring shards share a run, at most ``SHARDS_PER_RUN`` of them; shards that a run or a backfill has
    are left alone; what does not fit into one night is left to the next. What was never tried comes first, and
    those that go on failing take turns, so that they cannot keep the others waiting.
    """

    @dg.schedule(
        name="nightly_gaps",
        job=job,
        cron_schedule=cron,
        execution_timezone=TIMEZONE,
        default_status=schedule_status(Automation.SCHEDULES),
        description=f"Runs {job.name} for shards that are missing or failed, at most {SHARDS_PER_RUN} in a run.",
    )
    def nightly_gaps(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        from resources.lake.lake import Lake

        register(context.instance, Lake(environment.home()).shards())
        order = known_shards(context.instance)
        reasons = unfinished_shards(context.instance, assets)
        if not reasons:
            return dg.SkipReason(f"none of {len(order)} shards is missing or failed, or a run has it already")
        night = context.scheduled_execution_time.strftime("%Y-%m-%d %H:%M")
        missing = {shard for shard, reason in reasons.items() if reason.endswith(MISSING)}
        failed = contiguous(order, reasons.keys() - missing, SHARDS_PER_RUN)
        turn = context.scheduled_execution_time.toordinal() * RUNS_PER_NIGHT % max(1, len(failed))
        ranges = [*contiguous(order, missing, SHARDS_PER_RUN), *failed[turn:], *failed[:turn]][
            :RUNS_PER_NIGHT
        ]
        return [
            dg.RunRequest(
                f"{night} {some[0]}..{some[-1]}",
                tags={**shard_tags(some), "vidcap/gap": reasons[some[0]]},
            )
            for some in ranges
        ]

    return nightly_gaps


def publish_schedule(job: "UnresolvedAssetJobDefinition", cron: str = WEEKLY) -> dg.ScheduleDefinition:
    """The schedule that publishes the dataset where anything was merged since it was last published."""

    @dg.schedule(
        name="weekly_publish",
        job=job,
        cron_schedule=cron,
        execution_timezone=TIMEZONE,
        default_status=schedule_status(Automation.SCHEDULES, Automation.DECLARATIVE),
        description=f"Runs {job.name} where anything was merged since it last did.",
    )
    def weekly_publish(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        merged, published = _last(context.instance, MERGED), _last(context.instance, PUBLISHED)
        if merged is None:
            return dg.SkipReason("nothing has been merged yet")
        if published is not None and published > merged:
            return dg.SkipReason("nothing was merged since the dataset was last published")
        return dg.RunRequest(context.scheduled_execution_time.strftime("%Y-%m-%d"))

    return weekly_publish


def _last(instance: dg.DagsterInstance, asset: str) -> float | None:
    """When this asset was last materialised, in seconds since 1970."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    return event.timestamp if event is not None else None
