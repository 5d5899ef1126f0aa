"""A Dagster project of somebody else's, with vidcap installed, in whose defs folder a collection stands."""

import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from resources.lake.lake import Lake
from vidcap_assets.collection.schema import attributes_of_every_kind

PROJECT = """
[project]
name = "stranger"
version = "0.1"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "stranger"
"""
DEFINITIONS = """
from pathlib import Path
from dagster import definitions, load_from_defs_folder

@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
COLLECTION = """type: vidcap_assets.Collection
attributes:
  home: ../../../../home
  source: {uri: ../../../../clips, shard_size: "{{ env.SHARD_SIZE }}"}
  decode: {workers: 1}
  annotators: [{kind: camera_motion}]
  automation: {mode: "{{ env.MODE }}"}
"""


class Stranger:
    def __init__(self, folder: Path) -> None:
        self.folder, package = folder, folder / "src" / "stranger"
        self.file = package / "defs" / "clips" / "defs.yaml"
        self.file.parent.mkdir(parents=True)
        for module in (package, package / "defs"):
            (module / "__init__.py").touch()
        (folder / "pyproject.toml").write_text(PROJECT)
        (package / "definitions.py").write_text(DEFINITIONS)
        self.file.write_text(COLLECTION)

    def command(self, *words: str, ok: bool = True) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDCAP_")}
        paths = [str(self.folder / "src"), *filter(None, [environment.get("PYTHONPATH")])]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *words],
            cwd=self.folder,
            env=environment
            | {"PYTHONPATH": ":".join(paths), "SHARD_SIZE": "1", "COLUMNS": "400"}
            | {
                "DAGSTER_DISABLE_TELEMETRY": "1",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode == 0) is ok, done.stdout[-5000:]
        return done.stdout

    def dg(self, *words: str, ok: bool = True) -> str:
        return self.command("-c", "from dagster_dg_cli.cli import main; main()", *words, ok=ok)


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    return Stranger(tmp_path)


def test_dg_knows_and_checks_the_collection(stranger: Stranger):
    assert "validated successfully" in stranger.dg("check", "yaml")
    assert "vidcap_assets.Collection" in stranger.dg("list", "components")
    assert "loaded successfully" in stranger.dg("check", "defs")
    stranger.file.write_text(COLLECTION.replace("camera_motion}", "camera_motion, treshold: 1}"))
    refused = stranger.dg("check", "defs", "--no-check-yaml", ok=False)
    assert f"attributes.annotators.0.camera_motion.treshold at {stranger.file}:6" in refused
    stranger.file.write_text(COLLECTION + "  text: {order: [nobody]}\n")
    refused = stranger.dg("check", "defs", ok=False)
    assert f"{stranger.file}:8: text.order.0: there is no captioner 'nobody'" in refused


def test_its_jobs_run_beside_the_projects_own(stranger: Stranger, write_video):
    for seed in range(2):
        write_video(stranger.folder / "clips" / f"{seed}.mp4", seed)
    run = ("-m", "dagster", "job", "execute", "-m", "stranger.definitions", "-j")
    stranger.command(*run, "index_videos")
    stranger.command(*run, "caption_videos", "--tags", '{"dagster/partition": "shard-00001"}')
    lake = Lake(stranger.folder / "home")
    assert lake.stored_shards("video_index") == ["shard-00000", "shard-00001"]
    assert lake.stored_shards("camera_motion") == ["shard-00001"]


def valid(changes: str) -> bool:
    schema = attributes_of_every_kind().model_json_schema()
    return jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(changes))


@pytest.mark.parametrize(
    "attributes",
    [
        'shards_per_run: "{{ env.N }}"',
        'automation: {mode: "{{ env.MODE }}"}',
        'text: {strip_prefix: "{{env.S}}"}',
        'owners: "{{ env.OWNERS }}"',
        "source: /clips",
        "warehouse: /some.duckdb",
        'annotators: [{kind: camera_motion, threshold: "{{ env.T }}"}]',
        'annotators: [{kind: openai, name: x, model: m, paid: "{{ env.P }}"}]',
    ],
)
def test_a_variable_may_stand_where_its_value_may(attributes):
    assert valid(attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        "shards_per_run: many",
        "shards_per_run: 0",
        "automation: {mode: sometimes}",
        "text: {strip_prefix: perhaps}",
        "annotators: [{kind: camera_motion, threshold: much}]",
        'shards_per_run: "x {{ env.N }}"',
    ],
)
def test_another_text_may_not(attributes):
    assert not valid(attributes)
