"""Animated WebP as videos: FFmpeg does not read them, Pillow does. Runs inside an isolated worker."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from PIL import Image, ImageSequence

from resources.video.frames import Frames
from resources.video.images import on_white, open_image, taken_of
from resources.video.pictures import PictureShape, Taken, frames_of
from resources.video.sampling import FrameRule
from resources.video.streams import require_regular_file

WEBP_HEAD = 12


def is_webp(path: Path) -> bool:
    """Is this regular file a WebP?

    Raises:
        ClipError: ``missing_file`` or ``decode_error``: not a readable regular file.
    """
    require_regular_file(path)
    with path.open("rb") as file:
        head = file.read(WEBP_HEAD)
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"


def animation_timing(image: Image.Image) -> list[float]:
    """Seconds at which each picture begins to be shown, and the end of the last one."""
    return [0.0, *accumulate(frame.info.get("duration", 0) / 1000 for frame in _pictures(image))]


def read_animation(path: Path, rule: FrameRule, shape: PictureShape) -> Frames:
    """The pictures that ``rule`` picks; transparency lies on white.

    Raises:
        ClipError: ``missing_file`` or ``decode_error``.
    """
    with open_image(path, shape.budget) as image:
        times_s = animation_timing(image)
        picked = rule.pick(times_s[:-1])
        count = len(picked.wanted)
        shape.budget.check_bytes(count, *shape.limit.apply(*image.size), shape.pixel_format.channels)
        taken: dict[int, Taken] = {}
        for index, frame in enumerate(_pictures(image)):
            if index in picked.wanted:
                near = shape.is_near(len(taken), count)
                taken[index] = taken_of(on_white(frame), times_s[index], shape, near=near)
    return frames_of(picked, taken, "pillow", "sequential", "animated WebP", [])


def _pictures(image: Image.Image) -> Iterator[Image.Image]:
    for frame in ImageSequence.Iterator(image):
        frame.load()
        yield frame
