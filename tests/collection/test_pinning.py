"""A run goes by the collection file as it was when the run began."""

import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from resources.lake.lake import Lake
from tests.collection.packages import make_package

WORDS = '''
import os, pathlib
from contextlib import contextmanager
from typing import Literal

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role
from resources.annotation.outcome import Answer
from resources.annotation.recipe import Recipe


class Says(Annotator):
    def __init__(self, settings):
        self._settings = settings

    @property
    def recipe(self):
        return Recipe(self._settings.name, {"word": self._settings.word})

    batch_size = 8

    def prepare(self, clip):
        return None

    def annotate(self, batch):
        file = pathlib.Path(os.environ["VIDCAP_CONFIG"])
        file.write_text(file.read_text().replace("before", "after"))
        return [Answer(self._settings.word) for _ in batch]


class Word(AnnotatorSettings):
    """Says a word of every clip, and edits the file that its run goes by."""

    kind: Literal["word"] = "word"
    word: str
    reads_from: str = "pixels"

    def declares(self):
        return (Declaration(self.name, Role.LABEL, (Column(self.name),), "a word", (self.reads_from,)),)

    @contextmanager
    def open(self, scene):
        yield {self.name: Says(self)}
'''
FILE = """\
type: vidcap_assets.Collection
attributes:
  home: home
  source: clips
  annotators:
    - {kind: word, name: first, word: before}
    - {kind: word, name: second, word: before, reads_from: first}
"""


def test_a_file_edited_in_mid_run_changes_no_later_step(tmp_path: Path) -> None:
    render_clips(tmp_path / "clips")
    packages = make_package(tmp_path / "packages", "words", WORDS, {"word": "Word"})
    file = tmp_path / "vidcap.yaml"
    file.write_text(FILE)

    def execute(job: str, tags: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
        command += ["-m", "vidcap_assets.definitions", "-j", job, "--tags", json.dumps(tags or {})]
        path = os.pathsep.join([str(packages), str(Path.cwd())])
        variables = {**os.environ, "VIDCAP_CONFIG": str(file), "PYTHONPATH": path}
        variables["DAGSTER_HOME"] = str(tmp_path / "dagster")
        (tmp_path / "dagster").mkdir(exist_ok=True)
        done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    execute("index_videos")
    shard = {"dagster/partition": "shard-00000"}
    execute("caption_videos", shard)
    assert "word: after" in file.read_text(), "the first step edited the file"
    lake = Lake(tmp_path / "home")
    assert said(lake, "second") == {"before"}
    execute("caption_videos", shard)
    assert said(lake, "first") == said(lake, "second") == {"after"}


def said(lake: Lake, asset: str) -> set[str]:
    from resources.storage.files import read_table

    rows = read_table(lake.file(asset, "shard-00000")).to_pylist()
    return {row["value"] for row in rows if row["current"] and row["status"] == "ok"}


def render_clips(folder: Path) -> None:
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (64, 48), (number * 90, 90, 90)).save(folder / f"{number}.png")
