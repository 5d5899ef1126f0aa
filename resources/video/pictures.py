"""From a decoded frame to pixels as a player shows them: square, upright, 8-bit, at the size wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc
from av.video.stream import VideoStream

from resources.video.budget import Budget
from resources.video.first_picture import sample_aspect
from resources.video.frames import Frames
from resources.video.sampling import Picked
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

    def is_near(self, number: int, count: int) -> bool:
        """Is the picture of this number, of ``count`` in all, wanted as a closeup too?"""
        every = max(1, count // self.closeups) if self.closeups else 0
        return every > 0 and number % every == every // 2


def frames_of(
    picked: Picked,
    taken: Mapping[int, Taken],
    backend: str,
    access: str,
    why: str | None,
    warnings: list[str],
) -> Frames:
    """What was picked, of the pictures by their numbers in the file; see the details of :class:`Frames`."""
    wanted = [taken[index] for index in picked.wanted]
    near = [each.closeup for each in wanted if each.closeup is not None]
    num_frames = len(picked.part)
    return Frames(
        images=np.stack([each.pixels for each in wanted]),
        indices=[index - picked.part.start for index in picked.wanted],
        num_frames=num_frames,
        times_s=[None if each.time_s is None else each.time_s - picked.begin_s for each in wanted],
        details={
            "backend": backend,
            "access": access,
            "why": why,
            "num_frames": num_frames,
            "decode_warnings": warnings,
        },
        closeups=np.stack(near) if near else None,
    )


class Picture:
    """Turns the frames of one stream into arrays of one size, that of the first frame seen.

    ``count`` pictures are wanted in all. A stream may change its size on the way, or how it is turned; later frames
    are scaled to the first one's size.
    """

    def __init__(self, shape: PictureShape, stream: VideoStream, count: int) -> None:
        self._shape = shape
        self._count = count
        self._stream = stream
        self._taken = 0
        self._whole: tuple[int, int] | None = None
        self._turn = Turn()

    def see(self, frame: VideoFrame) -> tuple[int, int]:
        """Width and height of the whole picture as shown; they follow from the first frame this is called with."""
        if self._whole is None:
            square = square_pixel_size(frame.width, frame.height, sample_aspect(self._stream))
            self._whole = self._turn_of(frame).size(square)
        return self._whole

    def take(self, frame: VideoFrame, time_s: float | None) -> Taken:
        """``frame`` as uint8, (H, W, 3) RGB or (H, W) gray, upright; transparency lies on white.

        Raises:
            ClipError: ``decode_error`` for a picture, or all that are wanted, over the budget.
        """
        self._shape.budget.check_size(frame.width, frame.height)
        pixels = self._pixels(frame, self._shape.pixel_format, self._shape.limit, self._count)
        closeup = None
        if self._shape.is_near(self._taken, self._count):
            closeup = self._pixels(frame, PixelFormat.RGB, CLOSEUP, 2 * self._shape.closeups)
        self._taken += 1
        return Taken(pixels, time_s, closeup)

    def _pixels(self, frame: VideoFrame, wanted: PixelFormat, limit: SizeLimit, count: int) -> Pixels:
        turn = self._turn_of(frame)
        shown = limit.apply(*self.see(frame))
        self._shape.budget.check_bytes(count, *shown, wanted.channels)
        width, height = turn.size(shown)
        if any(component.is_alpha for component in frame.format.components):
            frame = _on_white(frame)
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
        return np.ascontiguousarray(turn.apply(array))

    def _turn_of(self, frame: VideoFrame) -> "Turn":
        """The frame's own, else that of the last frame that had one."""
        self._turn = Turn.of(frame) or self._turn
        return self._turn


def _on_white(frame: VideoFrame) -> VideoFrame:
    pixels = frame.to_ndarray(format="rgba", threads=1)
    alpha = pixels[..., 3:].astype(np.uint16)
    shown = (pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return VideoFrame.from_ndarray(shown.astype(np.uint8), format="rgb24")


@dataclass(frozen=True, slots=True)
class Turn:
    """How the stored picture becomes the shown one, mirrorings included, by the display matrix of a frame.

    The matrix maps a stored point (x, y) to the shown point (a x + c y, b x + d y). ``degrees`` is the turn
    counter-clockwise: 0, 90, 180 or 270; a matrix that only mirrors counts as 0 or 180.
    """

    swaps_sides: bool = False
    horizontal: int = 1
    vertical: int = 1
    degrees: int = 0

    @classmethod
    def of(cls, frame: VideoFrame) -> "Turn | None":
        """Of a decoded frame; ``None`` where it has no matrix."""
        side_data: Any = frame.side_data
        matrix = next((bytes(data) for data in side_data if data.type.name == "DISPLAYMATRIX"), None)
        if matrix is None:
            return None
        a, b, _, c, d = (int(value) for value in np.frombuffer(matrix, "<i4")[:5])
        degrees = round(frame.rotation / 90) * 90 % 360
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, _sign(a), _sign(d), degrees)
        return cls(True, _sign(c), _sign(b), degrees)

    def apply(self, array: Pixels) -> Pixels:
        """``array`` as it is shown."""
        turned = array.swapaxes(0, 1) if self.swaps_sides else array
        return turned[:: self.vertical, :: self.horizontal]

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height, stored to shown or shown to stored."""
        return (size[1], size[0]) if self.swaps_sides else size


def _sign(value: int) -> int:
    return -1 if value < 0 else 1
