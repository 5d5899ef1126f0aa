"""From a line of a collection file to columns in DuckDB, in one pass over the files."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest
from PIL import Image

from tests.camera_motion.moving_crop import shot, write_mp4

ROOT = Path(__file__).parents[2]
FILE = """\
type: vidcap_assets.Collection
attributes:
  home: home
  source: clips
  annotators:
    - {kind: camera_motion, measures: true}
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Rows of captioned_videos by file name, of a clip, one with a cut, and an image."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "clips").mkdir()
    (folder / "dagster").mkdir()
    (folder / "vidcap.yaml").write_text(FILE)
    write_mp4(folder / "clips/pan.mp4", shot(right=60))
    write_mp4(folder / "clips/cut.mp4", np.concatenate([shot(), shot(seed=1)]))
    Image.fromarray(shot(frames=1)[0]).save(folder / "clips/photo.png")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VIDCAP_")}
    variables |= {
        "VIDCAP_CONFIG": str(folder / "vidcap.yaml"),
        "DAGSTER_HOME": str(folder / "dagster"),
        "PYTHONPATH": str(ROOT),
    }
    for job in (["index_videos"], ["caption_videos", "--tags", '{"dagster/partition": "shard-00000"}']):
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
        command += ["-m", "vidcap_assets.definitions", "-j", *job]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with duckdb.connect(str(folder / "home" / "vidcap.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT * FROM captioned_videos").to_arrow_table().to_pylist()
    return {Path(row["path"]).name: row for row in rows}


def test_videos_have_camera_motion_and_measures(table: dict[str, dict]) -> None:
    pan, cut = table["pan.mp4"], table["cut.mp4"]
    assert (pan["camera_motion_status"], pan["measures_status"]) == ("ok", "ok")
    assert (pan["cmotion"], cut["cmotion"]) == ("pan_left", "unclassified")
    assert pan["motion"] == pytest.approx(60 / 144 / 1.9, rel=0.15)
    assert (pan["cuts"], cut["cuts"]) == (0, 1)
    assert cut["still_share"] > 0.8 > 0.2 > pan["still_share"]
    assert len(pan["phash"]) == 16


def test_an_image_has_no_camera_motion_but_measures(table: dict[str, dict]) -> None:
    photo = table["photo.png"]
    assert (photo["camera_motion_status"], photo["cmotion"]) == ("skipped", None)
    assert (photo["measures_status"], photo["motion"], photo["cuts"]) == ("ok", None, None)
    assert photo["sharpness"] > 0
    assert 0 < photo["brightness"] < 1
