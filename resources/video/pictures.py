"""From a decoded frame to pixels as a player shows them: square, upright, 8-bit, at the size wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc
from av.video.stream import VideoStream

from resources.video.streams import Budget, sample_aspect
from resources.video.tonemap import tonemap_hlg, tonemap_pq

Pixels = np.ndarray

_TONEMAPS: dict[int, Callable[[Pixels], Pixels]] = {
    ColorTrc.SMPTE2084: tonemap_pq,
    ColorTrc.ARIB_STD_B67: tonemap_hlg,
}


class PixelFormat(StrEnum):
    """``rgb24``: (H, W, 3) uint8; ``gray``: (H, W) uint8, full range luma."""

    RGB = "rgb24"
    GRAY = "gray"

    @property
    def channels(self) -> int:
        """Bytes of a pixel."""
        return 3 if self is PixelFormat.RGB else 1


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """Shrink, never enlarge: the shorter side to ``short_side``, the longer to at most ``max_side``."""

    short_side: int | None = None
    max_side: int | None = None

    def __post_init__(self) -> None:
        for side in (self.short_side, self.max_side):
            if side is not None and side < 1:
                raise ValueError(f"a side must have at least one pixel, not {side}")

    def apply(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after shrinking; both at least 1."""
        scale = 1.0
        if self.short_side is not None:
            scale = min(scale, self.short_side / min(width, height))
        if self.max_side is not None:
            scale = min(scale, self.max_side / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))


CLOSEUP = SizeLimit(short_side=720)


def square_pixel_size(width: int, height: int, sample_aspect: Fraction | None) -> tuple[int, int]:
    """The size at which pixels are square; the height is kept, as players do."""
    if not sample_aspect or sample_aspect <= 0:
        return width, height
    return max(1, round(width * sample_aspect)), height


@dataclass(frozen=True, slots=True)
class Taken:
    """Pixels as displayed, uint8 (H, W, 3) or (H, W), and seconds from the first frame of the clip.

    ``closeup``: some of the pictures larger and in colour, (H, W, 3); see :class:`PictureShape`.
    """

    pixels: Pixels
    time_s: float | None
    closeup: Pixels | None = None


def seconds_between(first_pts: int | None, pts: int | None, time_base: Fraction | None) -> float | None:
    """``None`` where the file has no presentation times."""
    if first_pts is None or pts is None or time_base is None:
        return None
    return float((pts - first_pts) * time_base)


@dataclass(frozen=True, slots=True)
class PictureShape:
    """What pictures are wanted as: their format and size, and what they may cost.

    About ``closeups`` of them, evenly spread, are wanted as RGB too, with a shorter side of at most 720 pixels.
    """

    pixel_format: PixelFormat
    limit: SizeLimit
    budget: Budget
    closeups: int = 0


class Picture:
    """Turns the frames of one stream into arrays of one size, that of the first frame taken.

    ``count`` pictures are wanted in all. A stream may change its size on the way; later frames are scaled to the
    first one's.
    """

    def __init__(self, shape: PictureShape, stream: VideoStream, count: int) -> None:
        self._shape = shape
        self._count = count
        self._format = shape.pixel_format
        self._sample_aspect = sample_aspect(stream)
        self._every = max(1, count // shape.closeups) if shape.closeups else 0
        self._taken = 0
        self._sizes: dict[SizeLimit, tuple[int, int]] = {}

    def take(self, frame: VideoFrame, time_s: float | None) -> Taken:
        """``frame`` as uint8, (H, W, 3) RGB or (H, W) gray, upright.

        Raises:
            ClipError: ``decode_error`` for a picture, or all that are wanted, over the budget.
        """
        self._shape.budget.check_size(frame.width, frame.height)
        pixels = self._pixels(frame, self._format, self._shape.limit, self._count)
        near = self._every and self._taken % self._every == self._every // 2
        self._taken += 1
        return Taken(
            pixels,
            time_s,
            self._pixels(frame, PixelFormat.RGB, CLOSEUP, 2 * self._shape.closeups) if near else None,
        )

    def _size_of(self, frame: VideoFrame, limit: SizeLimit, count: int, channels: int) -> tuple[int, int]:
        """Width and height of the arrays before they are turned upright."""
        if limit not in self._sizes:
            square = square_pixel_size(frame.width, frame.height, self._sample_aspect)
            width, height = self._sizes[limit] = limit.apply(*square)
            self._shape.budget.check_bytes(count, width, height, channels)
        return self._sizes[limit]

    def _pixels(self, frame: VideoFrame, wanted: PixelFormat, limit: SizeLimit, count: int) -> Pixels:
        width, height = self._size_of(frame, limit, count, wanted.channels)
        tonemap = _TONEMAPS.get(frame.color_trc) if wanted is PixelFormat.RGB else None
        pixel_format = "rgb48le" if tonemap else wanted.value
        if (width, height) == (frame.width, frame.height):
            array = frame.to_ndarray(format=pixel_format, threads=1)
        else:
            array = frame.to_ndarray(
                format=pixel_format, width=width, height=height, interpolation="BICUBIC", threads=1
            )
        if tonemap:
            array = tonemap(array)
        return np.ascontiguousarray(upright(frame)(array))


def upright(frame: VideoFrame) -> Callable[[Pixels], Pixels]:
    """How to turn the stored picture into the shown one, mirrorings included, from the display matrix.

    The matrix maps a stored point (x, y) to the shown point (a x + c y, b x + d y).
    """
    matrix = _display_matrix(frame)
    if matrix is None:
        return lambda array: array
    a, b, _, c, d = (int(value) for value in np.frombuffer(matrix, "<i4")[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return lambda array: array[:: _sign(d), :: _sign(a)]
    return lambda array: array.swapaxes(0, 1)[:: _sign(b), :: _sign(c)]


def _display_matrix(frame: VideoFrame) -> bytes | None:
    side_data: Any = frame.side_data
    return next((bytes(data) for data in side_data if data.type.name == "DISPLAYMATRIX"), None)


def _sign(value: int) -> int:
    return -1 if value < 0 else 1
