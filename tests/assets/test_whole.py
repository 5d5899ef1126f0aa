"""What was written is counted again; an index that finds nothing new leaves what depends on it in sync."""

import dagster as dg
import pyarrow as pa
import pytest

from resources.dataset.tables import ParquetShards
from resources.lake import meta
from tests.assets.conftest import Platform, failure
from tests.assets.test_unsynced import unsynced

FIRST = "shard-00000"
TRAINED = ["raw_meta", "captions_llava", "camera_motion", "captioned_videos"]


@pytest.fixture
def two_clips(platform: Platform, write_video) -> Platform:
    for seed in range(2):
        write_video(platform.source / f"{seed}.mp4", seed)
    assert platform.run("video_index").success
    return platform


def whole(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        one.asset_key.to_user_string(): one.passed
        for one in result.get_asset_check_evaluations()
        if one.check_name == "whole"
    }


def test_a_clip_that_the_probe_loses_stops_its_shard(two_clips: Platform, monkeypatch: pytest.MonkeyPatch):
    probe = meta.probe_clips
    with monkeypatch.context() as patched:
        patched.setattr(meta, "probe_clips", lambda *args: probe(*args).slice(1))
        result = two_clips.run(*TRAINED, shard=FIRST)
    assert whole(result) == {"raw_meta": False}
    assert "2 clips have 1 rows with 1 ids" in failure(result)
    assert not two_clips.lake.file("captions_llava", FIRST).exists()

    with monkeypatch.context() as patched:
        double = lambda *args: pa.concat_tables([probe(*args).slice(1)] * 2)  # noqa: E731
        patched.setattr(meta, "probe_clips", double)
        assert "2 clips have 2 rows with 1 ids" in failure(two_clips.run("raw_meta", shard=FIRST))
    assert whole(two_clips.run("raw_meta", shard=FIRST)) == {"raw_meta": True}


def test_a_row_that_the_training_set_loses_fails_it(two_clips: Platform, monkeypatch: pytest.MonkeyPatch):
    assert two_clips.run(*TRAINED, shard=FIRST).success
    assert whole(two_clips.run("training_set")) == {"training_set": True}
    write = ParquetShards.write
    monkeypatch.setattr(ParquetShards, "write", lambda self, batch: write(self, batch.slice(1)))
    result = two_clips.run("training_set")
    assert not result.success
    assert whole(result) == {"training_set": False}


def test_an_index_without_news_leaves_everything_in_sync(two_clips: Platform, write_video):
    assert two_clips.run(*TRAINED, shard=FIRST).success
    assert two_clips.run("video_index").success
    assert unsynced(two_clips) == {}
    (two_clips.source / "0.mp4").rename(two_clips.source / "renamed.mp4")
    assert two_clips.run("video_index").success
    assert "raw_meta" in unsynced(two_clips)
