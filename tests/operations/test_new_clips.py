"""The sensor of new clips: what it asks for, when, and what it says when it asks for nothing."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from resources.lake.indexing import index_source
from resources.lake.lake import Lake
from resources.lake.meta import META_SCHEMA
from resources.source.source import Entry, kind_of, survey
from resources.source.watch import Listing, Watch, look
from tests.echo import echoing
from tests.lake.here import Here
from vidcap_assets.automation import sensors
from vidcap_assets.component import Collection

SHARDS = "shards"
EMPTY, ONE, TWO = Listing("", 0), Listing("a", 1), Listing("b", 2)


@pytest.mark.parametrize(
    ("watch", "now", "time_s", "index_now", "says"),
    [
        (Watch(ONE, ONE), ONE, 10, False, "nothing new among 1 files"),
        (Watch(), ONE, 10, False, "+1 files"),
        (Watch(EMPTY, ONE, 10), ONE, 20, True, "+1 files"),
        (Watch(EMPTY, ONE, 10), TWO, 20, False, "in 90 s at the latest"),
        (Watch(EMPTY, ONE, 10), TWO, 110, True, "+2 files"),
        (Watch(TWO, TWO), ONE, 10, False, "-1 files"),
    ],
)
def test_a_changed_source_is_indexed_when_it_holds_still(watch, now, time_s, index_now, says):
    looked = look(watch, now, time_s, patience_s=100)
    assert looked.index_now is index_now
    assert says in looked.reason
    assert Watch.from_json(looked.watch.to_json()) == looked.watch
    if index_now:
        assert not look(looked.watch, now, time_s + 1, 100).index_now


def test_a_listing_changes_with_every_file_that_is_added_renamed_or_written_to(tmp_path: Path):
    def listing() -> Listing:
        return Listing.of(Entry(path, kind_of(path)) for path in sorted(tmp_path.iterdir()))

    seen = [listing()]
    (tmp_path / "a.mp4").write_bytes(b"1")
    seen.append(listing())
    (tmp_path / "a.mp4").write_bytes(b"12")
    seen.append(listing())
    (tmp_path / "a.mp4").rename(tmp_path / "b.mp4")
    seen.append(listing())
    assert len(set(seen)) == 4
    assert listing() == seen[-1]


class Watched:
    """A source folder, a lake, and the sensor looking at both."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.source, self.lake, self.instance = folder / "source", Lake(folder / "home"), instance
        self.source.mkdir()
        self.cursor: str | None = None
        self.watch()

    def watch(self, **settings: object) -> None:
        """Go by a collection with these settings from now on."""
        collection = Collection(echoing(self.lake.root, self.source, **settings))
        self.defs = collection.build_defs()
        self.sensor = next(
            one for one in self.defs.get_repository_def().sensor_defs if one.name == "new_clips"
        )

    def add(self, *names: str) -> None:
        for name in names:
            (self.source / name).write_bytes(name.encode())

    def index(self, shard_size: int = 1) -> None:
        index_source(self.lake, lambda: survey(self.source), shard_size, Here())

    def tick(self) -> dg.SensorResult:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor)
        result = self.sensor(context)
        self.cursor = result.cursor
        return result

    def said(self) -> str:
        result = self.tick()
        assert not result.run_requests
        return result.skip_reason.skip_message

    def asked(self) -> list[tuple[str, str, str]]:
        requests = self.tick().run_requests
        return [
            (request.job_name, tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition"),
             tags.get("dagster/asset_partition_range_end") or tags.get("dagster/partition"))
            for request in requests
            if (tags := request.tags) is not None
        ]  # fmt: skip


@pytest.fixture
def watched(tmp_path: Path, instance: dg.DagsterInstance) -> Watched:
    return Watched(tmp_path, instance)


def test_a_new_file_is_indexed_once_and_its_shard_captioned_once(watched: Watched):
    assert "no videos or images in it" in watched.said()
    watched.add("a.mp4")
    assert "the source is changing (+1 files" in watched.said()
    assert watched.asked() == [("index_videos", None, None)]
    assert "nothing new among 1 files" in watched.said()
    watched.index()
    assert watched.asked() == [("caption_videos", "shard-00000", "shard-00000")]
    assert list(watched.instance.get_dynamic_partitions(SHARDS)) == ["shard-00000"]
    assert watched.said() == "nothing new among 1 files; no shard of 1 is new or changed"


def test_many_new_shards_are_asked_for_in_ranges_of_at_most_k(watched: Watched, monkeypatch):
    watched.watch(shards_per_run=3)
    monkeypatch.setattr(sensors, "RUNS_PER_TICK", 2)
    watched.add(*(f"{number}.mp4" for number in range(8)))
    watched.index()
    assert watched.asked() == [
        ("caption_videos", "shard-00000", "shard-00002"),
        ("caption_videos", "shard-00003", "shard-00005"),
    ]
    # The source holds still by now.
    assert watched.asked() == [("index_videos", None, None), ("caption_videos", "shard-00006", "shard-00007")]


def test_a_clip_that_is_replaced_has_its_shard_and_the_new_one_captioned_and_nothing_else(watched: Watched):
    watched.add("a.mp4", "b.mp4")
    watched.index()
    watched.tick()
    for shard in watched.lake.shards():
        watched.lake.write_meta(shard, META_SCHEMA.empty_table())
    watched.add("a.mp4")
    (watched.source / "a.mp4").write_bytes(b"other")
    watched.index()
    wanted = {("caption_videos", shard, shard) for shard in ("shard-00000", "shard-00002")}
    assert wanted <= set(watched.asked())
    fresh_memory, watched.cursor = watched.cursor, None
    assert set(watched.asked()) == wanted, "probed shards are not asked for again"
    watched.cursor = fresh_memory


def test_the_same_state_gives_the_same_run_keys(watched: Watched):
    watched.add("a.mp4", "b.mp4")
    watched.index()
    keys = [request.run_key for request in watched.tick().run_requests]
    watched.cursor = None
    assert [request.run_key for request in watched.tick().run_requests] == keys


def test_nothing_is_indexed_while_indexing_is_under_way(watched: Watched):
    watched.add("a.mp4")
    watched.tick()
    run = watched.instance.create_run_for_job(
        watched.defs.resolve_job_def("index_videos"), status=dg.DagsterRunStatus.STARTED
    )
    assert "index_videos is under way" in watched.said()
    watched.instance.report_run_failed(run)
    assert [name for name, *_ in watched.asked()] == ["index_videos"]


def test_a_state_whose_index_run_failed_is_indexed_again_and_the_tick_names_the_run(
    watched: Watched, monkeypatch
):
    watched.add("a.mp4")
    watched.tick()
    (request,) = watched.tick().run_requests
    job = watched.defs.resolve_job_def("index_videos")
    run = watched.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=request.tags)
    assert "index_videos is under way" in watched.said()
    watched.instance.report_run_failed(run)
    assert f"index_videos failed for this state of the source (run {run.run_id})" in watched.said()
    monkeypatch.setattr(sensors, "AGAIN_AFTER", timedelta())
    (again,) = watched.tick().run_requests
    assert again.run_key != request.run_key
    second = watched.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=again.tags)
    succeeded = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, second.job_name)
    watched.instance.report_dagster_event(succeeded, second.run_id)
    assert "nothing new among 1 files" in watched.said()
