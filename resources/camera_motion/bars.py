"""Bars around a picture: they stand still whatever the camera does."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.tracking import Transform

UNIFORM = 6
RIM = 2
LEAST = 1 / 3


class Area(NamedTuple):
    """Rows from ``top`` to ``bottom`` and columns from ``left`` to ``right``, the last ones not included."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of ``frames``, (T, H, W)."""
        return frames[:, self.top : self.bottom, self.left : self.right]

    def to_size(self, whole: tuple[int, ...], size: tuple[int, int]) -> Transform:
        """From pixels of this area to those of the displayed ``size``.

        ``whole`` is the shape of the frames that the area is a part of; both are (height, width).
        """
        to_frame = np.array([[1, 0, self.left], [0, 1, self.top], [0, 0, 1]], np.float64)
        return np.diag([size[1] / whole[1], size[0] / whole[0], 1.0]) @ to_frame


def picture_area(frames: NDArray[np.uint8]) -> Area:
    """Where the picture is: all but what keeps one and the same shade, from a border on, in all of ``frames``.

    Everything, where hardly anything would be left. ``frames``: (T, H, W).
    """
    _, height, width = frames.shape
    darkest, brightest = frames.min(axis=0), frames.max(axis=0)
    top, bottom = _within(darkest.min(axis=1), brightest.max(axis=1))
    left, right = _within(darkest.min(axis=0), brightest.max(axis=0))
    if bottom - top < LEAST * height or right - left < LEAST * width:
        return Area(0, height, 0, width)
    return Area(top, bottom, left, right)


def _within(darkest: NDArray[np.uint8], brightest: NDArray[np.uint8]) -> tuple[int, int]:
    """From the first to after the last line with more than one shade, without the blurred rim of a bar."""
    shown = np.flatnonzero(brightest.astype(int) - darkest > UNIFORM)
    if len(shown) == 0:
        return 0, 0
    first, end = int(shown[0]), int(shown[-1]) + 1
    return first + RIM * (first > 0), end - RIM * (end < len(darkest))
