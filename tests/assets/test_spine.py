"""From files to the merged table, by the product's assets, with an echo in place of the captioner."""

import os

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from resources.annotation.outcome import AnnotatorError
from resources.annotation.tables import merged_columns
from resources.storage.files import read_table, write_table
from tests.assets.conftest import SHARDS, Platform, failure
from tests.echo import Echo
from vidcap_assets.assets import columns
from vidcap_assets.collection.file import DEFAULT
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.component import Collection

SPINE = ("raw_meta", "captions_llava", "captioned_videos")
FIRST = "shard-00000"


@pytest.fixture
def six_clips(platform: Platform, write_video) -> Platform:
    for seed in range(6):
        write_video(platform.source / f"{seed}.mp4", seed)
    assert platform.run("video_index").success
    return platform


def test_a_clean_road_from_file_to_row(six_clips: Platform):
    result = six_clips.run(*SPINE, shard=FIRST)
    assert result.success, failure(result)
    rows = six_clips.query(
        "SELECT id, num_frames, height, width, aspect_ratio, resolution, fps, codec, caption_llava, text, "
        "text_source, text_len, captions_llava_status FROM captioned_videos ORDER BY path"
    )
    assert len(rows) == 6
    for clip_id, *meta, caption, text, source, length, status in rows:
        assert meta == [6, 32, 32, 1.0, 1024, 12.0, "h264"]
        assert caption == text == clip_id
        assert (source, length, status) == ("captions_llava", 1, "ok")


def test_the_second_run_asks_the_model_nothing_and_leaves_dependants_fresh(six_clips: Platform):
    six_clips.run(*SPINE, shard=FIRST)
    versions = _versions(six_clips)
    six_clips.llava.asked.clear()
    assert six_clips.run(*SPINE, shard=FIRST).success
    assert not six_clips.llava.asked
    assert _versions(six_clips) == versions


def test_a_changed_prompt_redoes_the_captions_and_keeps_the_old_ones(six_clips: Platform):
    six_clips.run(*SPINE, shard=FIRST)
    meta_version = _versions(six_clips)["raw_meta"]
    six_clips.prompt = "seen: "
    six_clips.llava.asked.clear()
    assert six_clips.run(*SPINE, shard=FIRST).success
    assert len(six_clips.llava.asked) == 6
    assert six_clips.query("SELECT count(*) FROM captioned_videos WHERE caption_llava = 'seen: ' || id") == [
        (6,)
    ]
    assert six_clips.query(
        "SELECT is_current, count(*), count(DISTINCT fingerprint) FROM annotations GROUP BY 1 ORDER BY 1"
    ) == [(False, 6, 1), (True, 6, 1)]
    assert six_clips.query(
        "SELECT count(*) FROM annotations JOIN recipes USING (fingerprint, annotator)"
    ) == [(12,)]
    assert _versions(six_clips)["raw_meta"] == meta_version


def test_unreadable_files_keep_their_rows_and_shift_nobody(platform: Platform, write_video):
    good = [write_video(platform.source / f"{seed:02}.mp4", seed) for seed in range(27)]
    (platform.source / "10-text.mp4").write_text("this is no video")
    (platform.source / "15-half.mp4").write_bytes(good[0].read_bytes()[:200])
    os.mkfifo(platform.source / "20-pipe.mp4")
    platform.run("video_index")
    result = platform.run(*SPINE, shard=FIRST)
    assert result.success, failure(result)
    rows = platform.query(
        "SELECT path, id = caption_llava, captions_llava_status, probe_error FROM captioned_videos ORDER BY path"
    )
    assert len(rows) == 30
    bad = [(path.rpartition("/")[2], status) for path, _, status, error in rows if error]
    assert bad == [("10-text.mp4", "skipped"), ("15-half.mp4", "skipped"), ("20-pipe.mp4", "skipped")]
    assert all(right and status == "ok" for _, right, status, error in rows if not error)
    reasons = platform.query("SELECT error FROM annotations WHERE status = 'skipped'")
    assert all(reason.startswith("not readable: ") for (reason,) in reasons)


def test_a_range_finishes_its_good_shards_and_shows_exactly_the_bad_one(platform: Platform, write_video):
    platform.shard_size = 2
    for seed in range(6):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    keys = [clip.id for clip in platform.lake.manifest("shard-00001")]

    def poisoned(ids):
        if set(ids) & set(keys):
            raise ValueError("cannot look at this")

    platform.llava.misbehave = poisoned
    result = platform.run("raw_meta", "captions_llava", shard="shard-00000..shard-00002")
    assert not result.success
    assert "1 of 3 shards are unfinished: shard-00001: " in failure(result)
    judged = {(one.check_name, one.partition) for one in result.get_asset_check_evaluations()}
    assert {("language", shard) for shard in platform.partitions()} <= judged, (
        "what was not judged shows as failed"
    )
    status = platform.instance.get_status_by_partition(
        dg.AssetKey("captions_llava"), platform.partitions(), platform.collection.shards
    )
    assert {key: value.value for key, value in status.items()} == {
        "shard-00000": "MATERIALIZED",
        "shard-00001": "FAILED",
        "shard-00002": "MATERIALIZED",
    }
    for shard in ("shard-00000", "shard-00002"):
        (logged,) = _materialisations(platform, "captions_llava", shard)
        assert logged.metadata["annotated_now"].value == 2, "another attempt does not touch what is finished"
    platform.llava.misbehave = lambda ids: None
    platform.llava.asked.clear()
    assert platform.run(*SPINE, shard="shard-00000..shard-00002").success
    assert sorted(platform.llava.asked) == sorted(keys)
    assert platform.query("SELECT count(*) FROM captioned_videos WHERE caption_llava = id") == [(6,)]


def test_shards_of_a_range_have_data_versions_of_their_own(platform: Platform, write_video):
    platform.shard_size = 2
    for seed in range(4):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    clips = [clip.id for shard in ("shard-00000", "shard-00001") for clip in platform.lake.manifest(shard)]

    def passing_fault(ids):
        if set(ids) & set(clips[2:]) and len(platform.llava.asked) <= 5:
            raise ValueError("not now")

    platform.llava.misbehave = passing_fault
    result = platform.run(*SPINE, shard="shard-00000..shard-00001")
    assert result.success, failure(result)
    assert [platform.llava.asked.count(clip_id) for clip_id in clips[:2]] == [1, 1]
    assert platform.llava.asked.count(clips[3]) > 1, "the step was tried again"
    together = {shard: _versions(platform, shard) for shard in platform.partitions()}
    assert together["shard-00000"]["captions_llava"] != together["shard-00001"]["captions_llava"]
    for shard in platform.partitions():
        platform.run(*SPINE, shard=shard)
        assert _versions(platform, shard) == together[shard]


def test_an_unknown_shard_is_one_sentence_and_no_partition(six_clips: Platform):
    result = six_clips.run(*SPINE, shard="shard-00099")
    assert not result.success
    assert "there is no shard 'shard-00099'" in failure(result)
    assert "there are shard-00000 to shard-00000" in failure(result)
    assert six_clips.partitions() == [FIRST]


def test_an_asset_before_its_metadata_says_what_is_missing(six_clips: Platform):
    result = six_clips.run("captions_llava", shard=FIRST)
    assert not result.success
    assert "raw_meta of shard-00000 has not been materialised yet" in failure(result)


def test_an_unusable_captioner_blames_no_clip(six_clips: Platform):
    def refused(ids):
        raise AnnotatorError("the key was refused", retryable=False)

    six_clips.llava.misbehave = refused
    result = six_clips.run("raw_meta", "captions_llava", shard=FIRST)
    assert not result.success
    assert "captions_llava: the key was refused" in failure(result)
    assert not six_clips.lake.file("captions_llava", FIRST).exists()


def test_every_annotator_has_both_blocking_checks():
    graph = Collection.from_file(DEFAULT).build_defs().resolve_asset_graph()
    annotators = [
        "captions_pllava",
        "captions_llava",
        "captions_gpt4v",
        "camera_motion",
        "tags_objects",
        "tags_actions",
    ]
    for name in annotators:
        keys = [key for key in graph.asset_check_keys if key.asset_key == dg.AssetKey(name)]
        blocking = {key.name for key in keys if graph.get(key).blocking}
        assert blocking == {"accounting", "failed_share"}


def test_a_row_that_vanishes_behind_the_loop_fails_the_blocking_check(six_clips: Platform, monkeypatch):
    from resources.annotation.store import ShardStore

    honest = ShardStore.checkpoint

    def loses_a_row(self, outcomes, journal):
        honest(self, outcomes, journal)
        write_table(self.file, read_table(self.file).slice(1))

    monkeypatch.setattr(ShardStore, "checkpoint", loses_a_row)
    result = six_clips.run(*SPINE, shard=FIRST)
    assert not result.success
    assert "accounting: 5 rows for 6 clips: 1 missing" in failure(result)
    assert _status(six_clips, "captions_llava") == "FAILED"
    evaluation = next(e for e in result.get_asset_check_evaluations() if e.check_name == "accounting")
    assert (evaluation.passed, evaluation.partition) == (False, FIRST)
    assert "1 missing" in evaluation.description
    assert not (six_clips.home / "vidcap.duckdb").exists(), "what comes after must not run"


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda meta: meta.slice(1), "6 clips have 5 rows with 5 ids"),
        (lambda meta: pa.concat_tables([meta, meta.slice(5)]), "6 clips have 7 rows with 6 ids"),
    ],
)
def test_a_table_that_lacks_or_doubles_a_clip_is_red(six_clips: Platform, damage, found: str):
    assert six_clips.run(*SPINE, shard=FIRST).success
    total = six_clips.instance.get_latest_materialization_event(dg.AssetKey("captioned_videos"))
    assert total.asset_materialization.metadata["clips_total"].value == 6
    six_clips.lake.write_meta(FIRST, damage(read_table(six_clips.lake.file("raw_meta", FIRST))))
    result = six_clips.run("captioned_videos", shard=FIRST)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.partition) == ("whole", False, FIRST)
    assert f"shard-00000: whole: {found}" in failure(result)


def test_a_storage_that_is_away_fails_the_shard_and_costs_nothing(six_clips: Platform):
    assert six_clips.run(*SPINE, shard=FIRST).success
    os.rename(six_clips.source, six_clips.home / "away")
    result = six_clips.run(*SPINE, shard=FIRST)
    assert "none of its 6 files is there; is the storage mounted?" in failure(result)
    os.rename(six_clips.home / "away", six_clips.source)
    six_clips.llava.asked.clear()
    assert six_clips.run(*SPINE, shard=FIRST).success
    assert not six_clips.llava.asked


def test_one_clip_that_always_fails_does_not_hold_up_its_shard_for_ever(six_clips: Platform):
    bad = six_clips.lake.manifest(FIRST)[2].id

    def poisoned(ids):
        if bad in ids:
            raise ValueError("cannot look at this")

    six_clips.llava.misbehave = poisoned
    results = [six_clips.run(*SPINE, shard=FIRST).success for _ in range(3)]
    assert results[-1], "after three attempts the clip is let go"
    rows = dict(six_clips.query("SELECT id, captions_llava_status FROM captioned_videos"))
    assert [clip_id for clip_id, status in rows.items() if status != "ok"] == [bad]


def test_a_range_is_by_name_whatever_was_registered_first(platform: Platform, write_video):
    platform.shard_size = 1
    for seed in range(3):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    platform.instance.delete_dynamic_partition(SHARDS, "shard-00000")
    platform.instance.add_dynamic_partitions(SHARDS, ["shard-00000"])
    assert platform.run("raw_meta", shard="shard-00000..shard-00002").success
    assert platform.lake.stored_shards("raw_meta") == ["shard-00000", "shard-00001", "shard-00002"]


def test_a_home_whose_name_looks_like_a_partition_changes_no_column(tmp_path, write_video):
    folder = tmp_path / "id=7"
    folder.mkdir()
    platform = Platform(folder)
    write_video(platform.source / "0.mp4")
    platform.run("video_index")
    result = platform.run(*SPINE, shard=FIRST)
    assert result.success, failure(result)
    assert platform.query("SELECT count(*) FROM captioned_videos WHERE id = caption_llava") == [(1,)]


def test_too_many_failures_fail_the_blocking_check(six_clips: Platform):
    six_clips.run("raw_meta", shard=FIRST)
    table = read_table(six_clips.lake.file("raw_meta", FIRST))
    assert pc.sum(table["num_frames"]).as_py() == 36
    for clip in six_clips.lake.manifest(FIRST)[:4]:
        os.truncate(clip.path, 100)
    result = six_clips.run("camera_motion", shard=FIRST, config={"camera_motion": {"max_failed_share": 0.5}})
    assert not result.success
    evaluation = next(e for e in result.get_asset_check_evaluations() if e.check_name == "failed_share")
    assert not evaluation.passed
    assert evaluation.description == "4 of 6 readable clips failed"
    assert _status(six_clips, "camera_motion") == "FAILED"


def test_importing_the_definitions_loads_no_library_that_only_steps_need():
    import subprocess
    import sys

    heavy = [
        "torch",
        "transformers",
        "cv2",
        "av",
        "decord",
        "openai",
        "httpx",
        "pandas",
        "numpy",
        "matplotlib",
        "PIL",
        "pyarrow",
        "duckdb",
        "jinja2",
        "fsspec",
        "upath",
        "tqdm",
        "tenacity",
    ]
    script = f"import sys, vidcap_assets.definitions; sys.exit(str(sys.modules.keys() & {heavy} or ''))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_the_columns_shown_are_those_of_the_files():
    collection = CollectionSettings(annotators=[Echo()])
    shown = columns.shown(merged_columns(collection.declared)).columns
    lineage = columns.captioned_videos_lineage(collection.key, collection.declared, collection.text_order)
    assert {one.name for one in shown} >= {"caption_llava", "captions_llava_status"}
    assert {one.name for one in shown} == {*lineage.deps_by_column, "shard"}


def test_a_shard_that_cannot_be_read_is_red_and_stops_no_other(platform: Platform, write_video):
    platform.shard_size = 1
    for seed in range(4):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    away, everything = platform.lake.manifest("shard-00001")[0].path, "shard-00000..shard-00003"
    os.rename(away, f"{away}.away")
    result = platform.run("raw_meta", shard=everything)
    assert "1 of 4 shards are unfinished: shard-00001: none of its 1 files is there" in failure(result)
    assert _red(platform, "raw_meta") == {"shard-00001"}

    result = platform.run("captions_llava", shard=everything)
    assert "shard-00001: raw_meta of shard-00001 has not been materialised yet" in failure(result)
    assert _red(platform, "captions_llava") == {"shard-00001"}

    os.rename(f"{away}.away", away)
    assert platform.run("raw_meta", "captions_llava", shard=everything).success
    os.truncate(platform.lake.file("captions_llava", "shard-00002").path, 50)
    result = platform.run("captioned_videos", shard=everything)
    assert "1 of 4 shards are unfinished: shard-00002: a file of it cannot be read" in failure(result)
    assert _red(platform, "captioned_videos") == {"shard-00002"}
    platform.llava.asked.clear()
    result = platform.run("captions_llava", shard=everything)
    damaged = platform.lake.file("captions_llava", "shard-00002")
    assert f"1 of 4 shards are unfinished: shard-00002: {damaged} is damaged" in failure(result)
    assert not platform.llava.asked

    manifest = platform.lake.file("video_index", "shard-00003").path
    os.truncate(manifest, 50)
    assert f"{manifest} is damaged" in failure(platform.run("video_index"))


def test_a_materialisation_names_its_file_and_what_its_columns_are_made_of(six_clips: Platform):
    six_clips.run(*SPINE, shard=FIRST)
    event = six_clips.instance.get_latest_materialization_event(dg.AssetKey("captions_llava"))
    metadata = event.asset_materialization.metadata
    assert metadata["dagster/uri"].value == str(six_clips.lake.file("captions_llava", FIRST))
    assert metadata["dagster/column_lineage"].value.deps_by_column["value"][0] == dg.TableColumnDep(
        dg.AssetKey("raw_meta"), "path"
    )


def _red(platform: Platform, asset: str) -> set[str]:
    statuses = platform.instance.get_status_by_partition(
        dg.AssetKey(asset), platform.partitions(), platform.collection.shards
    )
    assert statuses.keys() == set(platform.partitions())
    return {shard for shard, status in statuses.items() if status.value == "FAILED"}


def _status(platform: Platform, asset: str) -> str:
    key = dg.AssetKey(asset)
    return platform.instance.get_status_by_partition(key, [FIRST], platform.collection.shards)[FIRST].value


def _materialisations(platform: Platform, asset: str, shard: str) -> list[dg.AssetMaterialization]:
    """All there are, the newest first."""
    records = platform.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[shard]), limit=100
    ).records
    return [record.asset_materialization for record in records]


def _versions(platform: Platform, shard: str = FIRST) -> dict[str, str]:
    return {
        asset: _materialisations(platform, asset, shard)[0].tags["dagster/data_version"] for asset in SPINE
    }


def test_a_range_run_says_of_each_shard_once_what_it_was_made_from(platform: Platform, write_video):
    platform.shard_size = 1
    for seed in range(2):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    assert platform.run(*SPINE, shard="shard-00000..shard-00001").success
    for shard in ("shard-00000", "shard-00001"):
        made = {asset: _materialisations(platform, asset, shard) for asset in SPINE}
        assert [len(events) for events in made.values()] == [1, 1, 1]
        captions, merged = made["captions_llava"][0].tags, made["captioned_videos"][0].tags
        assert captions["dagster/code_version"]
        for asset in ("raw_meta", "captions_llava"):
            version = made[asset][0].tags["dagster/data_version"]
            assert merged[f"dagster/input_data_version/{asset}"] == version
            assert int(merged[f"dagster/input_event_pointer/{asset}"]) > 0


def test_a_range_the_wrong_way_round_is_refused_and_says_how_it_reads(platform: Platform, write_video):
    platform.shard_size = 1
    for seed in range(2):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    result = platform.run("raw_meta", shard="shard-00001..shard-00000")
    assert not result.success
    assert "name shard-00000 as its start and shard-00001 as its end" in failure(result)


def test_a_partition_typed_by_hand_reddens_no_shard_of_a_range(platform: Platform, write_video):
    platform.shard_size = 1
    for seed in range(2):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    platform.instance.add_dynamic_partitions(SHARDS, ["shard-00000b"])
    assert platform.run(*SPINE, shard="shard-00000..shard-00001").success
    assert platform.lake.stored_shards("raw_meta") == ["shard-00000", "shard-00001"]
    assert "there is no shard 'shard-00000b'" in failure(platform.run("raw_meta", shard="shard-00000b"))


def test_the_headline_of_the_last_attempt_is_the_sentence(six_clips: Platform):
    def unreachable(ids: object) -> None:
        raise AnnotatorError("nobody answers at http://localhost:1")

    six_clips.run("raw_meta", shard=FIRST)
    six_clips.misbehave = unreachable
    result = six_clips.run("captions_llava", shard=FIRST)
    (event,) = [one for one in result.all_events if one.is_step_failure]
    assert "Exceeded max_retries" not in event.step_failure_data.error.message
    assert "nobody answers at http://localhost:1" in event.step_failure_data.error.message
