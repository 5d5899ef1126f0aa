"""Some of the frames, larger and in colour, from the same pass that gives the small gray ones."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from resources.annotation.clip import Kind
from resources.video import FrameRule, RuleKind
from resources.video.decode import sample_frames
from resources.video.pictures import PixelFormat, SizeLimit

RULE = FrameRule(RuleKind.LINSPACE, 64)
SMALL = SizeLimit(short_side=96)


def red_clip(path: Path, frames: int) -> Path:
    """1280 x 960, red, getting brighter."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 960, "yuv420p"
        for number in range(frames):
            picture = np.zeros((960, 1280, 3), np.uint8)
            picture[..., 0] = 60 + number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["clip.mp4", "clip.h264"], ids=["seek", "sequential"])
@pytest.mark.parametrize(("frames", "count"), [(100, 4), (5, 5), (1, 1)])
def test_about_as_many_as_asked_for_evenly_spread(tmp_path: Path, name: str, frames: int, count: int) -> None:
    path = red_clip(tmp_path / name, frames)
    found = sample_frames(path, RULE, pixel_format=PixelFormat.GRAY, limit=SMALL, closeups=4)
    assert found.closeups is not None
    assert found.closeups.shape == (count, 720, 960, 3)
    red = found.closeups[:, 360, 480, 0].astype(int)
    assert np.ptp(np.diff(red)) <= 3 if count > 2 else count == 1
    assert (found.closeups[..., 0] > 2 * found.closeups[..., 1]).all()
    assert found.images.shape[1:] == (96, 128)


def test_the_small_pictures_are_the_same_with_and_without(tmp_path: Path) -> None:
    path = red_clip(tmp_path / "clip.mp4", 30)
    with_them = sample_frames(path, RULE, pixel_format=PixelFormat.GRAY, limit=SMALL, closeups=4)
    without = sample_frames(path, RULE, pixel_format=PixelFormat.GRAY, limit=SMALL)
    assert without.closeups is None
    assert np.array_equal(with_them.images, without.images)


def test_an_image_is_its_own_closeup(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (200, 10, 10)).save(tmp_path / "red.png")
    found = sample_frames(tmp_path / "red.png", RULE, Kind.IMAGE, PixelFormat.GRAY, SMALL, closeups=4)
    assert found.closeups is not None
    assert found.closeups.shape == (1, 200, 300, 3)
    assert found.closeups[0, 0, 0].tolist() == [200, 10, 10]
