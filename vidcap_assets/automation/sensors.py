"""New clips: noticed, indexed, and captioned in runs of a few shards each."""

import json
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from resources.source.source import SourceError
from resources.source.watch import Listing, Watch, look
from vidcap_assets.automation.gaps import known_shards
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.collection.shards import contiguous, shard_tags
from vidcap_assets.dagster_private import IN_PROGRESS_RUN_STATUSES, UnresolvedAssetJobDefinition

if TYPE_CHECKING:
    from resources.lake.lake import Lake

RUNS_PER_TICK = 20
PATIENCE_S = 900.0
# A source that cannot be indexed does not start a run a minute.
AGAIN_AFTER = timedelta(hours=1)
SOURCE_STATE = "vidcap/source_state"


def new_clips_sensor(
    collection: CollectionSettings,
    index_job: UnresolvedAssetJobDefinition,
    caption_job: UnresolvedAssetJobDefinition,
) -> dg.SensorDefinition:
    """The sensor that brings new clips into ``caption_job``.

    A changed source is indexed by a run of ``index_job`` and not in the tick: a tick has a minute, and the
    content of every new file has to be read. Shards that are new, or that changed, since they were last probed
    become partitions and are asked for in contiguous ranges. Each state of the source is indexed until a run of it
    succeeds, each version of a shard's manifest is captioned once, whatever happens to the daemon in between.
    """
    running = collection.automation.mode == "schedules"

    @dg.sensor(
        name=collection.label("new_clips"),
        jobs=[index_job, caption_job],
        minimum_interval_seconds=collection.automation.look_every_s,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description="Looks at the source, indexes what is new, and captions new and changed shards, "
        f"at most {collection.shards_per_run} in a run.",
    )
    def new_clips(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        store = collection.lake_block.open()
        memory = json.loads(context.cursor or "{}")
        requests: list[dg.RunRequest] = []
        seen = Watch.from_json(memory.get("source"))
        under_way = dg.RunsFilter(job_name=index_job.name, statuses=IN_PROGRESS_RUN_STATUSES)
        if collection.is_demo:
            said = "no source is named, and the demo collection does not change"
        elif context.instance.get_runs(under_way, limit=1):
            said = f"{index_job.name} is under way"
        else:
            try:
                looked = look(seen, Listing.of(collection.source.survey().entries), time.time(), PATIENCE_S)
            except SourceError as error:
                said = str(error)
            else:
                said, seen = looked.reason, looked.watch
                state = seen.indexed.digest
                failures = _failures(context.instance, index_job.name, state)
                index_now = looked.index_now
                if failures and seen.seen == seen.indexed:
                    failed = failures[0].end_time or failures[0].create_timestamp.timestamp()
                    again = datetime.fromtimestamp(failed, UTC) + AGAIN_AFTER
                    index_now = datetime.now(UTC) >= again
                    said = (
                        f"{index_job.name} failed for this state of the source (run "
                        f"{failures[0].dagster_run.run_id}), it is tried again at {again:%Y-%m-%d %H:%M} UTC"
                    )
                if index_now:
                    requests.append(
                        dg.RunRequest(
                            f"index {state} {len(failures)}",
                            job_name=index_job.name,
                            tags={SOURCE_STATE: state},
                        )
                    )
        collection.shards.register(context.instance, store.shards())
        order = known_shards(context.instance, collection)
        versions, mark = _changed_shards(
            store,
            tuple(memory.get("manifests", (0, ""))),
            at_most=RUNS_PER_TICK * collection.shards_per_run,
        )
        requests += [
            dg.RunRequest(
                f"{some[0]}..{some[-1]} {max(versions[shard] for shard in some)}",
                job_name=caption_job.name,
                tags=shard_tags(some),
            )
            for some in contiguous(order, versions, collection.shards_per_run)
        ]
        cursor = json.dumps({"source": seen.to_json(), "manifests": mark})
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        return dg.SensorResult(
            skip_reason=f"{said}; no shard of {len(order)} is new or changed", cursor=cursor
        )

    return new_clips


def _failures(instance: dg.DagsterInstance, job: str, state: str) -> Sequence[dg.RunRecord]:
    """The runs for a state of the source, the newest first; none where one of them succeeded."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job, tags={SOURCE_STATE: state}))
    statuses = {record.dagster_run.status for record in records}
    return [] if dg.DagsterRunStatus.SUCCESS in statuses else records


def _changed_shards(
    lake: "Lake", mark: tuple[int, str], *, at_most: int
) -> tuple[dict[str, int], tuple[int, str]]:
    """Shards whose manifest was written after ``mark`` and not probed since, oldest first, with that time (ns).

    The second value is the mark to go on from.
    """
    from resources.lake.lake import INDEX, META

    manifests, probed = _written(lake, INDEX), _written(lake, META)
    waiting = sorted(
        (at, shard) for shard, at in manifests.items() if (at, shard) > mark and at > probed.get(shard, 0)
    )
    some = waiting[:at_most]
    return {shard: at for at, shard in some}, some[-1] if some else mark


def _written(lake: "Lake", asset: str) -> dict[str, int]:
    """When the file of each shard was written, in nanoseconds since 1970."""
    from resources.storage.files import is_local

    files = {shard: lake.file(asset, shard) for shard in lake.stored_shards(asset)}
    if is_local(lake.root):
        return {shard: os.stat(file.path).st_mtime_ns for shard, file in files.items()}
    return {shard: int(file.fs.modified(file.path).timestamp() * 1e9) for shard, file in files.items()}
