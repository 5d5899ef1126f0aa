"""docs/extend.md does what it says: its blocks, as they stand on the page, from the class to the column in DuckDB."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import av
import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.collection.packages import make_package

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text()
SHADES = {"dark.mp4": 40, "middle.mp4": 128, "light.mp4": 220}


def block(language: str) -> str:
    [found] = re.findall(rf"^( *)```{language}\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    return found[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of three gray clips, captioned by the commands of the page; its list brings the texts."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "clips.csv").write_text(
        "path,text\n" + "".join(f"clips/{name},A gray wall.\n" for name in SHADES)
    )
    for name, shade in SHADES.items():
        write_gray(folder / "clips" / name, shade)
    [(kind, value)] = tomllib.loads(block("toml"))["project"]["entry-points"]["vidcap.annotators"].items()
    module, cls = value.split(":")
    make_package(folder / "packages", module, block("python"), {kind: cls})
    (folder / "vidcap.yaml").write_text(block("yaml").replace("source: clips\n", "source: clips.csv\n"))
    (folder / "dagster").mkdir()
    run(folder, block("sh"))
    return folder


def run(folder: Path, script: str) -> None:
    dagster = f"{shlex.quote(sys.executable)} -W ignore -m dagster "
    script = re.sub(r"^dagster ", dagster, script, flags=re.MULTILINE)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VIDCAP_")}
    variables["VIDCAP_CONFIG"] = str(folder / "vidcap.yaml")
    variables["DAGSTER_HOME"] = str(folder / "dagster")
    variables["PYTHONPATH"] = os.pathsep.join([str(folder / "packages"), str(ROOT)])
    done = subprocess.run(["sh", "-ec", script], cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_class_has_twenty_lines_at_most():
    lines = block("python").partition("class Brightness")[2].splitlines()
    assert 0 < len(lines) <= 20


def test_the_page_makes_a_column_of_numbers_in_duckdb(folder: Path):
    with duckdb.connect(str(folder / "home" / "vidcap.duckdb"), read_only=True) as connection:
        answer = connection.sql(block("sql"))
        assert dict(zip(answer.columns, map(str, answer.types), strict=True))["brightness"] == "DOUBLE"
        found = {Path(path).name: brightness for path, brightness in answer.fetchall()}
        statuses = connection.sql("SELECT DISTINCT brightness_status FROM captioned_videos").fetchall()
    assert found == {name: pytest.approx(shade, abs=4) for name, shade in SHADES.items()}
    assert statuses == [("ok",)]


def test_gallery_and_training_set_show_it(folder: Path):
    run(folder, "dagster job execute -m vidcap_assets.definitions -j publish_dataset\n")
    [training_set] = (folder / "home" / "exports" / "training_set").rglob("*.parquet")
    assert "brightness" in pq.read_schema(training_set).names
    gallery = folder / "home" / "reports" / "gallery"
    assert any(
        "brightness" in file.read_text()
        for file in gallery.rglob("*.*")
        if file.suffix in (".html", ".js", ".json")
    )


def write_gray(path: Path, shade: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=10, width=64, height=48, pix_fmt="yuv420p")
        for _ in range(4):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8))))
        file.mux(stream.encode())
