"""A home that 0.1.0 wrote is taken up as it is: no clip is annotated anew."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
OLD_HOME = ROOT / "tests/homes/0.1.0"
SHARDS = {"shard-00000": 5, "shard-00001": 3}
FINGERPRINTS = {
    "camera_motion": "d6085d415b1493c5",
    "captions_llava": "7a8a22b37536b9ca",
    "captions_pllava": "ac8ac7cf94a21ee6",
    "tags_actions": "ecb8de28a52ab899",
    "tags_objects": "092a6319816d5534",
}


def annotated(lake: Path, asset: str, shard: str) -> pa.Table:
    return pq.read_table(lake / asset / f"{shard}.parquet").sort_by("id")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(OLD_HOME / "clips", tmp_path / "clips")
    shutil.copytree(OLD_HOME / "lake", tmp_path / "home/lake")
    return tmp_path / "home"


def execute(home: Path, job: str, shard: str | None = None) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
    command += ["-m", "vidcap_assets.definitions", "-j", job]
    if shard is not None:
        command += ["--tags", json.dumps({"dagster/partition": shard})]
    base = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VIDCAP_", "DAGSTER", "OPENAI"))
    }
    mine = {
        "PYTHONPATH": str(ROOT),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "VIDCAP_HOME": str(home),
        "VIDCAP_SOURCE": str(home.parent / "clips"),
        "VIDCAP_SHARD_SIZE": "5",
        **{f"VIDCAP_{name}_MODEL": "demo" for name in ("PLLAVA", "LLAVA", "TAGGER")},
    }
    done = subprocess.run(
        command,
        cwd=home.parent,
        env=base | mine,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_a_home_of_0_1_0_is_taken_up_without_asking_any_model_again(home: Path) -> None:
    execute(home, "index_videos")
    for shard, count in SHARDS.items():
        output = execute(home, "caption_videos", shard)
        for asset, fingerprint in FINGERPRINTS.items():
            assert f"{asset} {shard}: {count} clips, 0 to do, 0 skipped, {count} done before" in output
            rows = annotated(home / "lake", asset, shard)
            assert rows["fingerprint"].to_pylist() == [fingerprint] * count
            assert rows.equals(annotated(OLD_HOME / "lake", asset, shard)), "no row is another one"
    with duckdb.connect(str(home / "vidcap.duckdb"), read_only=True) as warehouse:
        rows = warehouse.execute("SELECT count(text), count(caption_llava) FROM captioned_videos").fetchall()
    assert rows == [(8, 8)]
