"""What is run by the clock: only what is missing or failed, in ranges, and never a storm."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from resources.lake.lake import Lake
from tests.echo import Echo, echoing
from vidcap_assets.automation import schedules
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.collection.shards import contiguous
from vidcap_assets.component import Collection

NIGHT = datetime(2026, 1, 2, 2, tzinfo=UTC)
SHARDS = "shards"


@pytest.fixture
def collection(tmp_path: Path) -> CollectionSettings:
    paid = Echo(name="gpt4v", paid=True)
    return echoing(tmp_path, tmp_path / "clips", annotators=[Echo(), paid], shards_per_run=2)


@pytest.fixture
def defs(collection: CollectionSettings) -> dg.Definitions:
    return Collection(collection).build_defs()


@pytest.mark.parametrize(
    ("wanted", "at_most", "expected"),
    [
        ("", 3, []),
        ("a", 3, ["a"]),
        ("abdefg", 3, ["ab", "def", "g"]),
        ("abcdefg", 3, ["abc", "def", "g"]),
        ("g", 1, ["g"]),
        ("fa", 9, ["a", "f"]),
    ],
)
def test_ranges_are_contiguous_and_bounded(wanted, at_most, expected):
    assert contiguous("abcdefg", set(wanted), at_most) == [list(some) for some in expected]


def materialise(instance: dg.DagsterInstance, asset: str, *names: str) -> None:
    for name in names:
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=name))


def fail(instance: dg.DagsterInstance, defs: dg.Definitions, asset: str, shard: str) -> None:
    run = instance.create_run_for_job(
        defs.resolve_job_def("caption_videos"), tags={"dagster/partition": shard}
    )
    planned = AssetMaterializationPlannedData(dg.AssetKey(asset), partition=shard)
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value
    instance.report_dagster_event(
        dg.DagsterEvent(kind, run.job_name, event_specific_data=planned), run.run_id
    )
    instance.report_run_failed(run)


def requests(instance, collection, assets=("raw_meta", "captioned_videos"), night=NIGHT):
    job = dg.define_asset_job("caption_videos")
    schedule = schedules.gap_schedule(collection, job, assets)
    result = schedule(dg.build_schedule_context(instance, scheduled_execution_time=night))
    if isinstance(result, dg.SkipReason):
        return result.skip_message
    return [
        tuple(value for name, value in sorted(one.tags.items()) if name.startswith("dagster/"))[::-1]
        for one in result
    ]


def test_the_night_fills_missing_and_failed_shards_but_none_in_progress(
    instance, collection, defs, tmp_path: Path
):
    names = [f"shard-{number:05}" for number in range(8)]
    for name in names:
        Lake(tmp_path).write_manifest(name, [])
    assert requests(instance, collection) == [
        (names[0], names[1]),
        (names[2], names[3]),
        (names[4], names[5]),
        (names[6], names[7]),
    ]
    materialise(instance, "raw_meta", *names)
    materialise(instance, "captioned_videos", *names[:2], *names[3:5])
    instance.create_run_for_job(
        defs.resolve_job_def("publish_dataset"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/asset_partition_range_start": names[5], "dagster/asset_partition_range_end": names[6]},
    )
    assert requests(instance, collection) == [(names[2],), (names[7],)]
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id="by-hand",
        asset_graph=defs.resolve_asset_graph(),
        partition_names=[names[7]],
        asset_selection=[dg.AssetKey("captions_llava")],
        backfill_timestamp=NIGHT.timestamp(),
        tags={},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    assert requests(instance, collection) == [(names[2],)], (
        "a backfill will come to its other shards by itself"
    )
    instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))
    assert requests(instance, collection) == [(names[2],), (names[7],)]
    materialise(instance, "captioned_videos", names[2], names[7])
    assert requests(instance, collection) == "none of 8 shards is missing or failed, or a run has it already"


def test_a_partition_that_is_no_shard_is_never_asked_for_and_parts_a_range(
    instance, collection, tmp_path: Path
):
    for name in ("shard-00000", "shard-00001"):
        Lake(tmp_path).write_manifest(name, [])
    instance.add_dynamic_partitions(SHARDS, ["shard-00000b", "shard-00009"])
    assert requests(instance, collection) == [("shard-00000",), ("shard-00001",)]


def test_shards_that_go_on_failing_keep_nobody_waiting(
    instance, collection, defs, monkeypatch, tmp_path: Path
):
    collection = collection.model_copy(update={"shards_per_run": 1})
    monkeypatch.setattr(schedules, "RUNS_PER_NIGHT", 2)
    for shard in "abcde":
        Lake(tmp_path).write_manifest(shard, [])
    instance.add_dynamic_partitions(SHARDS, list("abcde"))
    materialise(instance, "raw_meta", *"abc")
    for shard in "abc":
        fail(instance, defs, "captioned_videos", shard)
    asked = [requests(instance, collection, night=NIGHT + timedelta(days=day)) for day in range(3)]
    assert asked == [[("d",), ("e",)]] * 3
    materialise(instance, "raw_meta", "d", "e")
    materialise(instance, "captioned_videos", "d", "e")
    asked = [requests(instance, collection, night=NIGHT + timedelta(days=day)) for day in range(3)]
    assert {shard for night in asked[:2] for (shard,) in night} == set("abc")


def test_the_week_publishes_only_what_is_new(instance, collection):
    schedule = schedules.publish_schedule(collection, dg.define_asset_job("publish_dataset"))

    def tick():
        return schedule(dg.build_schedule_context(instance, scheduled_execution_time=NIGHT))

    assert tick() == dg.SkipReason("nothing has been merged yet")
    materialise(instance, "captioned_videos", "shard-00000")
    assert tick().run_key == "2026-01-02"
    instance.report_runless_asset_event(dg.AssetMaterialization("training_set"))
    assert "nothing was merged since" in tick().skip_message


@pytest.mark.parametrize(
    ("setting", "running"),
    [
        ("off", set()),
        ("schedules", {"new_clips", "nightly_gaps", "weekly_publish"}),
        ("declarative", {"new_clips", "nightly_gaps", "weekly_publish"}),
    ],
)
def test_one_setting_decides_what_runs_by_itself(setting, running, tmp_path: Path):
    collection = echoing(tmp_path, tmp_path, automation={"mode": setting, "look_every_s": 7})
    repository = Collection(collection).build_defs().get_repository_def()
    made = {one.name: one for one in (*repository.sensor_defs, *repository.schedule_defs)}
    assert {name for name, one in made.items() if one.default_status.value == "RUNNING"} == running
    assert made["new_clips"].minimum_interval_seconds == 7


def test_what_costs_money_is_tagged_and_goes_last(defs):
    tags = {spec.key.to_user_string(): spec.tags for spec in defs.resolve_all_asset_specs()}
    assert "paid" in tags["captions_gpt4v"]
    assert "paid" not in tags["captions_llava"]
    priority = [
        int(defs.resolve_job_def(job).run_tags["dagster/priority"])
        for job in ("index_videos", "caption_videos", "caption_videos_gpt4v")
    ]
    assert priority == sorted(set(priority), reverse=True)
