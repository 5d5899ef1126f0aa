"""Bars around a picture: they stand still whatever the camera does."""

import numpy as np
from numpy.typing import NDArray

UNIFORM = 6
RIM = 2
LEAST = 1 / 3


def picture_area(frames: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns of the picture, without what keeps one shade, from a border on, in all of ``frames``.

    Everything, where hardly anything would be left. ``frames``: (T, H, W).
    """
    _, height, width = frames.shape
    darkest, brightest = frames.min(axis=0), frames.max(axis=0)
    rows = _within(darkest.min(axis=1), brightest.max(axis=1))
    columns = _within(darkest.min(axis=0), brightest.max(axis=0))
    if rows.stop - rows.start < LEAST * height or columns.stop - columns.start < LEAST * width:
        return slice(0, height), slice(0, width)
    return rows, columns


def _within(darkest: NDArray[np.uint8], brightest: NDArray[np.uint8]) -> slice:
    """From the first to after the last line with more than one shade, without the blurred rim of a bar."""
    shown = np.flatnonzero(brightest.astype(int) - darkest > UNIFORM)
    if len(shown) == 0:
        return slice(0, 0)
    first, end = int(shown[0]), int(shown[-1]) + 1
    return slice(first + RIM * (first > 0), end - RIM * (end < len(darkest)))
