"""New clips: noticed, indexed, and captioned in runs of a few shards each."""

import json
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from resources.source.source import SourceError
from resources.source.watch import Listing, Watch, look
from vidcap_assets.assets.partitions import register
from vidcap_assets.assets.policies import SHARDS_PER_RUN
from vidcap_assets.automation.gaps import known_shards
from vidcap_assets.automation.launch import contiguous, shard_tags
from vidcap_assets.automation.switch import Automation, automation, sensor_status
from vidcap_assets.collection import environment
from vidcap_assets.collection.blocks import LakeResource, SourceResource

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

    from resources.lake.lake import Lake

RUNS_PER_TICK = 20
PATIENCE_S = 900.0


def new_clips_sensor(
    index_job: "UnresolvedAssetJobDefinition", caption_job: "UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """The sensor that brings new clips into ``caption_job``.

    A changed source is indexed by a run of ``index_job`` and not in the tick: a tick has a minute, and the
    content of every new file has to be read. Shards that are new, or that changed, since they were last probed
    become partitions and are asked for in contiguous ranges. Each state of the source is indexed once, each
    version of a shard's manifest is captioned once, whatever happens to the daemon in between.
    """

    @dg.sensor(
        name="new_clips",
        jobs=[index_job, caption_job],
        minimum_interval_seconds=environment.look_every_s(),
        default_status=sensor_status(Automation.SCHEDULES, Automation.DECLARATIVE),
        description="Looks at the source, indexes what is new, and captions new and changed shards, "
        f"at most {SHARDS_PER_RUN} in a run.",
    )
    def new_clips(
        context: dg.SensorEvaluationContext, source: SourceResource, lake: LakeResource
    ) -> dg.SensorResult:
        store = lake.open()
        memory = json.loads(context.cursor or "{}")
        requests: list[dg.RunRequest] = []
        seen = Watch.from_json(memory.get("source"))
        if source.uri == environment.DEMO_SOURCE:
            said = "VIDCAP_SOURCE is not set, and the demo collection does not change"
        elif _is_under_way(context.instance, index_job.name):
            said = f"{index_job.name} is under way"
        else:
            try:
                looked = look(seen, Listing.of(source.entries(store)), time.time(), PATIENCE_S)
            except SourceError as error:
                said = str(error)
            else:
                said, seen = looked.reason, looked.watch
                if looked.index_now:
                    # The same state is indexed again on another day only: a source that cannot be indexed
                    # does not start a run a minute.
                    day = datetime.now(UTC).date().isoformat()
                    requests.append(
                        dg.RunRequest(f"index {seen.indexed.digest} {day}", job_name=index_job.name)
                    )
        register(context.instance, store.shards())
        order = known_shards(context.instance)
        # Where conditions on the assets take care of what is missing, only changed shards are left to ask for.
        versions, mark = _changed_shards(
            store, tuple(memory.get("manifests", (0, ""))), known_only=automation() is Automation.DECLARATIVE
        )
        requests += _requests(caption_job.name, order, versions)
        cursor = json.dumps({"source": seen.to_json(), "manifests": mark})
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        return dg.SensorResult(
            skip_reason=f"{said}; no shard of {len(order)} is new or changed", cursor=cursor
        )

    return new_clips


def _is_under_way(instance: dg.DagsterInstance, job: str) -> bool:
    unfinished = dg.RunsFilter(job_name=job, statuses=IN_PROGRESS_RUN_STATUSES)
    return bool(instance.get_runs(unfinished, limit=1))


def _requests(job: str, order: Sequence[str], versions: dict[str, int]) -> list[dg.RunRequest]:
    return [
        dg.RunRequest(
            f"{some[0]}..{some[-1]} {max(versions[shard] for shard in some)}",
            job_name=job,
            tags=shard_tags(some),
        )
        for some in contiguous(order, versions, SHARDS_PER_RUN)
    ]


def _changed_shards(
    lake: "Lake", mark: tuple[int, str], known_only: bool
) -> tuple[dict[str, int], tuple[int, str]]:
    """Shards whose manifest was written after ``mark`` and not probed since, oldest first, with that time (ns).

    At most what :data:`RUNS_PER_TICK` runs can take; the second value is the mark to go on from.
    ``known_only`` leaves out those that were never probed.
    """
    from resources.lake.lake import INDEX, META

    manifests, probed = _written(lake, INDEX), _written(lake, META)
    waiting = sorted(
        (at, shard)
        for shard, at in manifests.items()
        if (at, shard) > mark and at > probed.get(shard, 0) and (shard in probed or not known_only)
    )
    some = waiting[: RUNS_PER_TICK * SHARDS_PER_RUN]
    return {shard: at for at, shard in some}, some[-1] if some else mark


def _written(lake: "Lake", asset: str) -> dict[str, int]:
    """When the file of each shard was written, in nanoseconds since 1970."""
    return {shard: _modified_ns(lake, asset, shard) for shard in lake.stored_shards(asset)}


def _modified_ns(lake: "Lake", asset: str, shard: str) -> int:
    from resources.storage.files import is_local

    file = lake.file(asset, shard)
    if is_local(file):
        return os.stat(file.path).st_mtime_ns
    return int(file.fs.modified(file.path).timestamp() * 1e9)
