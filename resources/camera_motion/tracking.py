"""Prepared frames, and points followed from one frame to another."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

WORK_SIDE = 192
CELLS = (12, 8)
CORNERS_PER_CELL = 4
CORNER_FLOOR = 2e-5
LK_WINDOW = (15, 15)
LK_LEVELS = 4
ROUND_TRIP_PX = 0.8
BLANK_STD = 1.5
TARGET_STD = 48.0
MAX_GAIN = 6.0

Gray = NDArray[np.uint8]
Points = NDArray[np.float32]
Transform = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """One frame ready for tracking.

    ``gray``: (H, W) uint8 of equalised exposure (mean 128, standard deviation 48 where the picture has
    enough of it), so that fades and flicker do not look like motion. ``contrast`` is the standard
    deviation before that, in grey levels, and ``gain`` the amplification.
    """

    gray: Gray
    contrast: float
    gain: float

    @classmethod
    def from_gray(cls, gray: Gray) -> "Frame":
        """``gray``: (H, W) uint8 of any size; larger ones are shrunk to a short side of 192 pixels."""
        height, width = gray.shape
        shrink = WORK_SIDE / min(height, width)
        if shrink < 1:
            to = (max(round(width * shrink), 1), max(round(height * shrink), 1))
            gray = np.asarray(cv2.resize(gray, to, interpolation=cv2.INTER_AREA), np.uint8)
        mean, std = (float(value[0, 0]) for value in cv2.meanStdDev(cv2.GaussianBlur(gray, (5, 5), 1.2)))
        gain = min(TARGET_STD / max(std, 1e-3), MAX_GAIN)
        ramp = (np.arange(256) - mean) * gain + 128
        return cls(cv2.LUT(gray, np.rint(ramp.clip(0, 255)).astype(np.uint8)), std, gain)  # type: ignore[arg-type]

    @property
    def is_blank(self) -> bool:
        """Is there nothing to see (black, white, one colour)?"""
        return self.contrast < BLANK_STD

    @cached_property
    def smooth(self) -> NDArray[np.float32]:
        """The picture without pixel noise, for comparing two frames: (H, W) float32."""
        return cv2.GaussianBlur(self.gray, (5, 5), 1.2).astype(np.float32)

    @cached_property
    def corners(self) -> Points:
        """The best corners of each of the 12 x 8 cells, (N, 2): weak texture gets its share of points."""
        strength = cv2.cornerMinEigenVal(self.gray, 3)
        peaks = (strength >= cv2.dilate(strength, np.ones((5, 5), np.uint8))) & (strength > CORNER_FLOOR)
        ys, xs = np.nonzero(peaks)
        height, width = self.gray.shape
        cell = (ys * CELLS[1] // height) * CELLS[0] + xs * CELLS[0] // width
        order = np.lexsort((-strength[ys, xs], cell))
        ranked = cell[order]
        first_of_cell = np.searchsorted(ranked, ranked)
        keep = order[np.arange(len(order)) - first_of_cell < CORNERS_PER_CELL]
        return np.stack([xs[keep], ys[keep]], axis=1).astype(np.float32)


def follow(a: Frame, b: Frame, guess: Transform) -> tuple[Points, Points]:
    """Corners of ``a`` found again in ``b`` by pyramidal Lucas-Kanade, starting from ``guess``.

    Returns:
        Where they were and where they are, (N, 2) each; only points that come back to within 0.8 px when
        followed the other way.
    """
    if len(a.corners) == 0:
        return a.corners, a.corners
    start = a.corners[:, None]
    expected = cv2.perspectiveTransform(start, guess)
    options = {"winSize": LK_WINDOW, "maxLevel": LK_LEVELS, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
    end, forth, _ = cv2.calcOpticalFlowPyrLK(a.gray, b.gray, start, expected.copy(), **options)
    home, back, _ = cv2.calcOpticalFlowPyrLK(
        b.gray, a.gray, end, start + np.float32(0.37) * (end - expected), **options
    )
    found = (forth[:, 0] == 1) & (back[:, 0] == 1)
    found &= np.linalg.norm((home - start)[:, 0], axis=1) < ROUND_TRIP_PX
    return start[found, 0], end[found, 0]
