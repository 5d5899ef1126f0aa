"""The command that README gives for a range of shards does what ``--partition-range`` refuses."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from resources.lake.lake import Lake

ROOT = Path(__file__).parents[2]
FILE = """
type: vidcap_assets.Collection
attributes:
  home: home
  source: {uri: source, shard_size: 1}
  annotators: [{kind: camera_motion}]
"""


@pytest.fixture
def place(tmp_path: Path, write_video) -> Path:
    for seed in range(2):
        write_video(tmp_path / "source" / f"{seed}.mp4", seed)
    (tmp_path / "vidcap.yaml").write_text(FILE)
    (tmp_path / "dagster").mkdir()
    return tmp_path


def test_a_range_of_shards_on_the_command_line(place: Path):
    environment = os.environ | {
        "DAGSTER_HOME": str(place / "dagster"),
        "VIDCAP_DEFINITIONS": "tests.cli.one_process",
        "PYTHONPATH": str(ROOT),
    }

    def dagster(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-m", "dagster", *arguments]
        return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)

    module = ["-m", "tests.cli.one_process"]
    assert dagster("job", "execute", *module, "-j", "index_videos").returncode == 0
    [command] = re.findall(r"dagster (job execute .*range_start.*)", (ROOT / "README.md").read_text())
    words = shlex.split(command.replace("shard-00007", "shard-00001"))
    words[words.index("-m") : words.index("-m") + 2] = module
    done = dagster(*words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert Lake(place / "home").stored_shards("camera_motion") == ["shard-00000", "shard-00001"]

    refused = dagster(
        "asset",
        "materialize",
        *module,
        "--select",
        "raw_meta",
        "--partition-range",
        "shard-00000...shard-00001",
    )
    assert refused.returncode != 0, "it works now: let README give it"
    assert "single_run" in refused.stderr + refused.stdout
