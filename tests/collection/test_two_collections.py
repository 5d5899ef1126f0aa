"""Two collections in one code location: same names inside each, nothing of one in the other."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from resources.lake.lake import Lake
from vidcap_assets.component import Collection

ROOT = Path(__file__).parents[2]
STEPS = ("raw_meta", "camera_motion", "captioned_videos")


class Two:
    """Collections ``cats`` and ``dogs`` with one and two shards, both with the annotator ``camera_motion``."""

    def __init__(self, folder: Path, write_video, names: tuple[str | None, str]) -> None:
        self.folder, self.names = folder, names
        self.files = []
        for place, (kind, name) in enumerate(zip(("cats", "dogs"), names, strict=True), 1):
            for seed in range(place):
                write_video(folder / kind / f"{kind}{seed}.mp4", 10 * place + seed)
            self.files.append(folder / f"{kind}.yaml")
            self.files[-1].write_text(
                "type: vidcap_assets.Collection\n"
                f"attributes:\n  name: {name or 'null'}\n  home: home_{kind}\n"
                f"  source: {{uri: {kind}, shard_size: 1}}\n  decode: {{workers: 1}}\n"
                "  automation: {mode: schedules}\n  annotators: [{kind: camera_motion}]\n"
            )

    def definitions(self) -> dg.Definitions:
        return dg.Definitions.merge(
            *(Collection.from_file(file).build_defs() for file in self.files),
            dg.Definitions(executor=dg.in_process_executor),
        )

    def paths(self, kind: str) -> list[str]:
        lake = Lake(self.folder / f"home_{kind}")
        return sorted(
            Path(clip.path).name
            for shard in lake.stored_shards("camera_motion")
            for clip in lake.manifest(shard)
        )


@pytest.fixture(params=[(None, "dogs"), ("cats", "dogs")], ids=["one is named", "both are named"])
def two(request, tmp_path: Path, write_video, monkeypatch) -> Two:
    monkeypatch.delenv("VIDCAP_PINNED", raising=False)
    return Two(tmp_path, write_video, request.param)


def test_jobs_and_the_runs_of_the_ui_keep_them_apart(two: Two):
    defs = two.definitions()
    first, second = ((f"{name}_" if name else "") for name in two.names)
    with dg.instance_for_test() as instance:

        def run(job: dg.JobDefinition, shard: str | None = None) -> None:
            tags = {"dagster/partition": shard} if shard else {}
            assert job.execute_in_process(instance=instance, tags=tags).success

        everything = defs.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey([name, "video_index"] if name else ["video_index"]) for name in two.names]
        run(everything.get_subset(asset_selection={*keys}))
        assert list(instance.get_dynamic_partitions(f"{first}shards")) == ["shard-00000"]
        assert list(instance.get_dynamic_partitions(f"{second}shards")) == ["shard-00000", "shard-00001"]

        run(defs.resolve_job_def(f"{first}caption_videos"), "shard-00000")
        assert (two.paths("cats"), two.paths("dogs")) == (["cats0.mp4"], [])
        run(defs.resolve_job_def(f"{second}caption_videos"), "shard-00001")
        assert (two.paths("cats"), two.paths("dogs")) == (["cats0.mp4"], ["dogs1.mp4"])
        for shard in ("shard-00000", "shard-00001"):
            subset = everything.get_subset(asset_selection={dg.AssetKey(["dogs", step]) for step in STEPS})
            run(subset, shard)
        assert two.paths("dogs") == ["dogs0.mp4", "dogs1.mp4"]
        schedule = next(
            one for one in defs.get_repository_def().schedule_defs if one.name == f"{second}nightly_gaps"
        )
        assert "none of 2 shards" in schedule(dg.build_schedule_context(instance)).skip_message


def test_every_name_is_there_for_each(two: Two):
    repository = two.definitions().get_repository_def()
    names = {
        *repository.job_names,
        *(one.name for one in (*repository.sensor_defs, *repository.schedule_defs)),
    }
    for each in ("index_videos", "caption_videos", "publish_dataset", "new_clips", "nightly_gaps",
                 "weekly_publish"):  # fmt: skip
        assert {f"{name}_{each}" if name else each for name in two.names} <= names


def test_both_are_in_force_where_the_variable_names_both(two: Two):
    keys = ",".join(f"{name}/video_index" if name else "video_index" for name in two.names)
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "asset", "materialize"]
    done = subprocess.run(
        [*command, "-m", "vidcap_assets.definitions", "--select", keys],
        cwd=two.folder,
        env={**os.environ, "VIDCAP_CONFIG": ":".join(map(str, two.files)), "DAGSTER_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert [len(Lake(two.folder / f"home_{kind}").shards()) for kind in ("cats", "dogs")] == [1, 2]
