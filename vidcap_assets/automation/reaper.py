"""Ending runs whose process is gone, so that none of them holds a place in a pool for ever.

A killed machine, or a kill -9, leaves its runs STARTED: nobody was left to say that they ended. A run is only ever
touched here where the process that its tag names is proven gone (machine, boot, number and start time), so a live one
cannot be hit, however quiet it is. Its steps ended with it.
"""

from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from vidcap_assets.automation.gaps import shards_named
from vidcap_assets.automation.run_process import RunProcess

_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class ReapedRun:
    """A run that was ended for its process."""

    run_id: str
    job: str
    shards: str
    reason: str


def reap(instance: dg.DagsterInstance, lost_hosts: Collection[str] = ()) -> list[ReapedRun]:
    """End the runs whose process is gone, and free their places in pools.

    Such a run fails; with ``run_retries`` switched on the daemon starts what is left of it again.

    Args:
        lost_hosts: machines that will not come back. Processes there cannot be looked at from here, and
            runs on machines that are not named here are never ended.
    """
    reaped = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        process = RunProcess.of(run)
        if process is None or (process.host not in lost_hosts if process.is_elsewhere else process.is_alive):
            continue
        if (now := instance.get_run_by_id(run.run_id)) is None or now.is_finished:
            continue  # it ended well between the two looks
        reason = f"its process is gone: {process.pid} on {process.host}"
        instance.report_run_failed(run, message=f"Ended by the reaper, {reason}")
        if instance.event_log_storage.supports_global_concurrency_limits:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        shards = " to ".join(dict.fromkeys(shards_named(run) or ()))
        reaped.append(ReapedRun(run.run_id, run.job_name, shards, reason))
    return reaped


def unprotected(instance: dg.DagsterInstance) -> list[str]:
    """What vidcap relies on and the settings of this instance (its ``dagster.yaml``) lack, each in a sentence."""
    storage = instance.event_log_storage
    has_limits = instance.get_concurrency_config().pool_config.default_pool_limit is not None or (
        storage.supports_global_concurrency_limits and storage.get_pool_limits()
    )
    return [
        *([] if has_limits else ["no pool has a limit, so all models of a run are loaded at the same time"]),
        *([] if instance.run_retries_enabled else ["a run whose process was killed is not started again"]),
    ]


@dg.sensor(
    name="reaper",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose processes are gone, so that they hold no place in a pool. Starts nothing, "
    "so it is always on.",
)
def reaper_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """See :func:`reap`; the tick's reason says what was done."""
    reaped = reap(context.instance)
    if not reaped:
        sentence = "every run that is under way has a live process, or is on another machine"
        return dg.SkipReason("; ".join([sentence, *unprotected(context.instance)]))
    for run in reaped:
        context.log.warning(f"run {run.run_id} of {run.job} {run.shards}: {run.reason}")
    return dg.SkipReason(
        f"ended {len(reaped)} runs whose processes are gone, and freed their places in pools: "
        + ", ".join(f"{run.run_id} ({run.job} {run.shards})" for run in reaped)
    )
