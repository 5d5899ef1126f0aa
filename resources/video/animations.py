"""Animated WebP as videos: FFmpeg does not read them, Pillow does. Runs inside an isolated worker."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np
from PIL import Image

from resources.video.frames import Frames, how_read
from resources.video.images import on_white, open_image, shrunk
from resources.video.pictures import CLOSEUP, PictureShape, PixelFormat
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
        indices = picked.wanted
        shape.budget.check_bytes(len(indices), *shape.limit.apply(*image.size), shape.pixel_format.channels)
        every = max(1, len(indices) // shape.closeups) if shape.closeups else 0
        taken: dict[int, np.ndarray] = {}
        closeups: list[np.ndarray] = []
        for index, frame in enumerate(_pictures(image)):
            if index in indices:
                whole = on_white(frame)
                shown = shrunk(whole, shape.limit)
                if every and len(taken) % every == every // 2:
                    closeups.append(np.asarray(shrunk(whole, CLOSEUP)))
                taken[index] = np.asarray(
                    shown.convert("L") if shape.pixel_format is PixelFormat.GRAY else shown
                )
    return Frames(
        images=np.stack([taken[index] for index in indices]),
        indices=[index - picked.part.start for index in picked.wanted],
        num_frames=len(picked.part),
        times_s=[times_s[index] - picked.begin_s for index in indices],
        details=how_read("pillow", "sequential", "animated WebP", len(picked.part), []),
        closeups=np.stack(closeups) if closeups else None,
    )


def _pictures(image: Image.Image) -> Iterator[Image.Image]:
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        image.load()
        yield image
