import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from resources.demo.source import CLIPS
from tests.demo.held_out import read_truths, render_clips
from tools.demo_world.clips import TRUTH_FILE, render_demo_source


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_demo_source(tmp_path_factory.mktemp("demo") / "clips")


def test_every_file_of_the_demo_source_has_its_truth(demo: Path) -> None:
    files = {path.relative_to(demo).as_posix() for path in demo.rglob("*") if path.is_file()}
    assert files == {truth.file for truth in read_truths(demo)} | {TRUTH_FILE}
    kinds = [(truth.kind, truth.broken is None) for truth in read_truths(demo)]
    assert (kinds.count(("video", True)), kinds.count(("image", True)), kinds.count(("video", False))) == (
        38,
        2,
        2,
    )


def test_the_files_are_what_their_truth_says(demo: Path) -> None:
    for truth in read_truths(demo):
        if truth.kind == "image":
            assert Image.open(demo / truth.file).size == (truth.width, truth.height)
        elif truth.broken is None:
            with av.open(str(demo / truth.file)) as container:
                stream = container.streams.video[0]
                assert stream.codec_context.name == "h264"
                assert (stream.width, stream.height, stream.frames) == (
                    truth.width,
                    truth.height,
                    truth.num_frames,
                )
                assert stream.average_rate == truth.fps


def test_broken_files_cannot_be_opened(demo: Path) -> None:
    for truth in read_truths(demo):
        if truth.broken:
            with pytest.raises(av.FFmpegError):
                av.open(str(demo / truth.file))


def test_the_package_holds_just_these_files(demo: Path) -> None:
    for name in (path.relative_to(demo) for path in demo.rglob("*") if path.is_file()):
        if name.name != TRUTH_FILE:
            assert (CLIPS / name).read_bytes() == (demo / name).read_bytes()
    assert sum(path.is_file() for path in CLIPS.rglob("*")) == len(read_truths(demo))


def test_a_seed_decides_the_clips_whatever_is_in_fresh_memory(tmp_path: Path) -> None:
    render = (
        "import pathlib, sys; from tests.demo.held_out import render_clips; "
        "render_clips(pathlib.Path(sys.argv[1]), 2, 5)"
    )
    for filling in ("85", "170"):
        subprocess.run(
            [sys.executable, "-c", render, str(tmp_path / filling)],
            env=os.environ | {"MALLOC_PERTURB_": filling},
            check=True,
        )
    first, other = read_truths(tmp_path / "85"), render_clips(tmp_path / "other", 2, 6)
    assert first == read_truths(tmp_path / "170") != other
    for truth in first:
        assert (tmp_path / "85" / truth.file).read_bytes() == (tmp_path / "170" / truth.file).read_bytes()


def test_the_truth_file_spells_out_captions_and_tags(tmp_path: Path) -> None:
    truth = render_clips(tmp_path, 1, seed=8, surfaces=0)[0]
    (row,) = json.loads((tmp_path / TRUTH_FILE).read_text())["clips"]
    assert truth.slots
    assert truth.still_slots
    assert row["caption"] == truth.slots.caption
    assert row["still_caption"] == truth.still_slots.caption
    assert row["objects"] == [truth.slots.shape]


def test_encoding_keeps_the_picture(tmp_path: Path) -> None:
    from tools.demo_world.clips import write_video
    from tools.demo_world.scene import random_scene

    scene = random_scene(np.random.default_rng(4))
    frames = [scene.draw(t, 128, 128) for t in np.linspace(0, 1, 8)]
    write_video(tmp_path / "a.mp4", frames, 24)
    with av.open(str(tmp_path / "a.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.abs(np.stack(decoded).astype(int) - np.stack(frames)).mean() < 6
