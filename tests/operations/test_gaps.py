"""What is run by the clock and by conditions: only what is missing or failed, in ranges, and never a storm."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from resources.lake.lake import Lake
from vidcap_assets.assets.partitions import SHARDS, shards
from vidcap_assets.automation.launch import contiguous
from vidcap_assets.automation.switch import FILL, Automation, automation, schedules, with_conditions
from vidcap_assets.collection import environment
from vidcap_assets.definitions import ASSETS, defs

NIGHT = datetime(2026, 1, 2, 2, tzinfo=UTC)


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


def fail(instance: dg.DagsterInstance, asset: str, shard: str) -> None:
    run = instance.create_run_for_job(
        defs.resolve_job_def("caption_videos"), tags={"dagster/partition": shard}
    )
    planned = AssetMaterializationPlannedData(dg.AssetKey(asset), partition=shard)
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value
    instance.report_dagster_event(
        dg.DagsterEvent(kind, run.job_name, event_specific_data=planned), run.run_id
    )
    instance.report_run_failed(run)


def requests(instance, assets=("raw_meta", "captioned_videos"), night=NIGHT):
    schedule = schedules.gap_schedule(defs.resolve_job_def("caption_videos"), assets)
    result = schedule(dg.build_schedule_context(instance, scheduled_execution_time=night))
    if isinstance(result, dg.SkipReason):
        return result.skip_message
    return [
        tuple(value for name, value in sorted(one.tags.items()) if name.startswith("dagster/"))[::-1]
        for one in result
    ]


def test_the_night_fills_missing_and_failed_shards_but_none_in_progress(
    instance, monkeypatch, tmp_path: Path
):
    monkeypatch.setenv("VIDCAP_HOME", str(tmp_path))
    monkeypatch.setattr(schedules, "SHARDS_PER_RUN", 2)
    names = [f"shard-{number:05}" for number in range(8)]
    for name in names:
        Lake(tmp_path).write_manifest(name, [])
    assert requests(instance) == [
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
    assert requests(instance) == [(names[2],), (names[7],)]
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
    assert requests(instance) == [(names[2],)], "a backfill will come to its other shards by itself"
    instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))
    assert requests(instance) == [(names[2],), (names[7],)]
    materialise(instance, "captioned_videos", names[2], names[7])
    assert requests(instance) == "none of 8 shards is missing or failed, or a run has it already"


def test_shards_that_go_on_failing_keep_nobody_waiting(instance, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("VIDCAP_HOME", str(tmp_path))
    monkeypatch.setattr(schedules, "SHARDS_PER_RUN", 1)
    monkeypatch.setattr(schedules, "RUNS_PER_NIGHT", 2)
    instance.add_dynamic_partitions(SHARDS, list("abcde"))
    materialise(instance, "raw_meta", *"abc")
    for shard in "abc":
        fail(instance, "captioned_videos", shard)
    asked = [requests(instance, night=NIGHT + timedelta(days=day)) for day in range(3)]
    assert asked == [[("d",), ("e",)]] * 3
    materialise(instance, "raw_meta", "d", "e")
    materialise(instance, "captioned_videos", "d", "e")
    asked = [requests(instance, night=NIGHT + timedelta(days=day)) for day in range(3)]
    assert {shard for night in asked[:2] for (shard,) in night} == set("abc")


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_size_that_is_none_is_refused_by_name(value, monkeypatch):
    for name, read in (
        ("VIDCAP_SHARD_SIZE", environment.shard_size),
        ("VIDCAP_SHARDS_PER_RUN", environment.shards_per_run),
        ("VIDCAP_LOOK_EVERY_S", environment.look_every_s),
    ):
        monkeypatch.setenv(name, value)
        with pytest.raises(ValueError, match=f"{name}={value}: must be a whole number of at least 1"):
            read()


def test_the_week_publishes_only_what_is_new(instance):
    schedule = schedules.publish_schedule(defs.resolve_job_def("publish_dataset"))

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
        (None, {"reaper"}),
        ("off", {"reaper"}),
        ("schedules", {"reaper", "new_clips", "nightly_gaps", "weekly_publish"}),
        ("Declarative", {"reaper", "new_clips", "shards_by_condition", "weekly_publish"}),
    ],
)
def test_one_switch_decides_what_runs_by_itself(setting, running, monkeypatch):
    from vidcap_assets import jobs
    from vidcap_assets.automation.reaper import reaper_sensor
    from vidcap_assets.automation.switch import condition_sensor, sensors

    if setting is not None:
        monkeypatch.setenv("VIDCAP_AUTOMATION", setting)
    made = [
        sensors.new_clips_sensor(jobs.index_videos, jobs.caption_videos),
        condition_sensor(ASSETS),
        reaper_sensor,
        schedules.gap_schedule(jobs.caption_videos, jobs.PARTITIONED),
        schedules.publish_schedule(jobs.publish_dataset),
    ]
    assert {one.name for one in made if one.default_status.value == "RUNNING"} == running


def test_a_wrong_switch_says_what_there_is(monkeypatch):
    monkeypatch.setenv("VIDCAP_AUTOMATION", "on")
    with pytest.raises(ValueError, match="VIDCAP_AUTOMATION=on: choose one of off, schedules, declarative"):
        automation()
    assert list(Automation) == ["off", "schedules", "declarative"]


def test_conditions_fill_each_gap_once_and_wait_for_no_paid_captions():
    paid_key = dg.AssetKey("captions_gpt4v")
    conditioned = {
        spec.key: spec.automation_condition for asset in with_conditions(ASSETS) for spec in asset.specs
    }
    assert conditioned[paid_key] is None
    assert conditioned[dg.AssetKey("video_index")] is None
    assert conditioned[dg.AssetKey("tags_objects")] == FILL

    @dg.asset(partitions_def=shards)
    def captions_gpt4v(): ...

    @dg.asset(partitions_def=shards)
    def raw_meta(): ...

    @dg.asset(partitions_def=shards, deps=[raw_meta, captions_gpt4v])
    def captioned_videos(): ...

    small = dg.Definitions(with_conditions([captions_gpt4v, raw_meta, captioned_videos]))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(SHARDS, ["a", "b"])
        cursor, asked = None, []
        for minute in (-1, 1, 2, 61):
            result = dg.evaluate_automation_conditions(
                small, instance, cursor=cursor, evaluation_time=NIGHT + timedelta(minutes=minute)
            )
            cursor = result.cursor
            asked.append(
                tuple(
                    sorted(result.get_requested_partitions(dg.AssetKey(name)))
                    for name in ("raw_meta", "captioned_videos")
                )
            )
            assert not result.get_requested_partitions(paid_key)
        assert asked == [([], []), (["a", "b"], ["a", "b"]), ([], []), (["a", "b"], ["a", "b"])]


def test_conditions_ask_for_a_failing_shard_once_a_night_even_if_it_never_came_right():
    @dg.asset(partitions_def=shards)
    def raw_meta(): ...

    small = dg.Definitions(with_conditions([raw_meta]))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(SHARDS, ["a", "b"])
        fail(instance, "raw_meta", "b")
        cursor, asked = None, []
        for minutes in (-1, 1, 61, 121, 24 * 60 + 1):
            result = dg.evaluate_automation_conditions(
                small, instance, cursor=cursor, evaluation_time=NIGHT + timedelta(minutes=minutes)
            )
            cursor = result.cursor
            asked.append(sorted(result.get_requested_partitions(dg.AssetKey("raw_meta"))))
        assert asked == [[], ["a", "b"], ["a"], ["a"], ["a", "b"]]
