"""``vidcap shards retire``: a shard leaves lists, partitions and tables, and comes back by no index and no range."""

import json
import os
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from tests.assets.conftest import Platform, failure, platform
from vidcap_assets.cli.app import app

__all__ = ["platform"]

MADE = ["raw_meta", "captions_llava", "camera_motion", "captioned_videos"]
FILE = """
type: vidcap_assets.Collection
attributes:
  home: home
  source: source
  annotators: [{kind: camera_motion}]
"""


def shards_in_table(platform: Platform) -> list[str]:
    return [
        shard for (shard,) in platform.query("SELECT DISTINCT shard FROM captioned_videos ORDER BY shard")
    ]


def test_a_retired_shard_is_gone_until_its_marker_is(
    platform: Platform, write_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    platform.shard_size = 1
    for seed in range(3):
        write_video(platform.source / f"{seed}.mp4", seed)
    (tmp_path / "vidcap.yaml").write_text(FILE)
    (tmp_path / "dagster").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.chdir(tmp_path)

    def vidcap(*arguments: str) -> tuple[int, str]:
        before = dict(os.environ)
        done = CliRunner().invoke(app, ["--config", "vidcap.yaml", *arguments, "--json"])
        os.environ.clear()
        os.environ.update(before)
        return done.exit_code, done.stdout

    with dg.DagsterInstance.get() as it:
        platform.instance = it
        platform.run("video_index")
        assert platform.run(*MADE, shard="shard-00000..shard-00002").success

        code, said = vidcap("shards", "retire", "shard-00007")
        assert code == 1
        assert "there are shard-00000 to shard-00002" in json.loads(said)["error"]
        code, said = vidcap("shards", "retire", "shard-00001")
        assert code == 0, said
        left = ["shard-00000", "shard-00002"]
        assert platform.lake.shards() == platform.partitions() == shards_in_table(platform) == left
        assert vidcap("shards", "retire", "shard-00001")[0] == 1, "it is retired already"

        assert vidcap("rebuild")[0] == 0
        assert shards_in_table(platform) == left

        write_video(platform.source / "new.mp4", 7)
        assert platform.run("video_index").success
        assert platform.run(*MADE, shard="shard-00000..shard-00003").success
        left.append("shard-00003")
        assert platform.lake.shards() == platform.partitions() == shards_in_table(platform) == left
        assert "there is no shard 'shard-00001'" in failure(platform.run("raw_meta", shard="shard-00001"))

        Path(json.loads(said)["marker"]).unlink()
        platform.asked.clear()
        assert platform.run("video_index").success
        assert platform.run(*MADE, shard="shard-00000..shard-00003").success
        assert platform.partitions() == sorted([*left, "shard-00001"]) == shards_in_table(platform)
        assert platform.asked == [], "its answers were kept"
