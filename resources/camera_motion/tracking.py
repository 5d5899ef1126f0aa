"""Prepared frames, and points followed from one frame to another."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

CELLS = (12, 8)
CORNERS_PER_CELL = 3
CORNER_FLOOR = 1e-4
LK_WINDOW = (13, 13)
LK_LEVELS = 3
LK_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
ROUND_TRIP_PX = 0.8
NEIGHBOURHOOD = 1 / 3
FLAT = 0.06
LOCAL_SCALE = 42.0
QUIET_CELLS = 0.2
BLANK_STD = 1.0
BLANK_TEST = (48, 48)
KEPT = 16
NOISE_LEFT_BY_SMOOTHING = 0.26

Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]
Points = NDArray[np.float32]
Transform = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """What is told of one frame for tracking: ``gray`` is (H, W) uint8 with a short side of at most 192 pixels."""

    gray: Gray

    @cached_property
    def half(self) -> "Frame":
        """The same picture at half the size: what is blurred in this one has corners again."""
        height, width = self.gray.shape
        to = (max(width // 2, 1), max(height // 2, 1))
        return Frame(np.asarray(cv2.resize(self.gray, to, interpolation=cv2.INTER_AREA), np.uint8))

    @cached_property
    def smooth(self) -> Floats:
        """The picture without pixel noise, for comparing two frames: (H, W) float32."""
        return np.asarray(cv2.GaussianBlur(self.gray, (5, 5), 1.2), np.float32)

    @cached_property
    def local(self) -> Gray:
        """The picture of equal brightness and contrast everywhere, (H, W) uint8 around 128.

        Fades, flicker and bright things that come and go look like no motion in it, and faint texture
        can be followed next to strong texture.
        """
        side = max(int(min(self.gray.shape) * NEIGHBOURHOOD) | 1, 3)
        mean = cv2.blur(self.smooth, (side, side))
        spread = np.sqrt(np.maximum(cv2.blur(self.smooth**2, (side, side)) - mean**2, 0))
        contrast = float(self.smooth.std())
        flat = FLAT * contrast + 2 * self.noise + min(0.7, 0.25 * contrast)
        even = (self.smooth - mean) * (LOCAL_SCALE / (spread + flat))
        return np.asarray(np.clip(even + 128, 0, 255), np.uint8)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the noise left in :attr:`smooth`, from the quietest fifth of the cells.

        Immerkaer's estimate (1996): what a difference of two Laplacians sees is noise, not structure.
        """
        kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
        seen = np.abs(cv2.filter2D(self.gray, cv2.CV_32F, kernel))
        raw = float(np.quantile(per_cell(seen), QUIET_CELLS)) * np.sqrt(np.pi / 2) / 6
        return max(raw, 0.3) * NOISE_LEFT_BY_SMOOTHING

    @cached_property
    def texture(self) -> Floats:
        """Standard deviation within each cell of :attr:`smooth`, (8, 12)."""
        values = self.smooth - self.smooth.mean()
        return np.sqrt(np.maximum(per_cell(values**2) - per_cell(values) ** 2, 0))

    @cached_property
    def corners(self) -> Points:
        """The best corners of each of the 12 x 8 cells, (N, 2): weak texture gets its share of points."""
        strength = cv2.cornerMinEigenVal(self.local, 3)
        peaks = (strength >= cv2.dilate(strength, np.ones((5, 5), np.uint8))) & (strength > CORNER_FLOOR)
        ys, xs = np.nonzero(peaks)
        height, width = self.gray.shape
        cell = (ys * CELLS[1] // height) * CELLS[0] + xs * CELLS[0] // width
        order = np.lexsort((-strength[ys, xs], cell))
        ranked = cell[order]
        first_of_cell = np.searchsorted(ranked, ranked)
        keep = order[np.arange(len(order)) - first_of_cell < CORNERS_PER_CELL]
        return np.stack([xs[keep], ys[keep]], axis=1).astype(np.float32)


Reel = Callable[[int], Frame]


def per_cell(values: NDArray[np.floating]) -> Floats:
    """Mean of a picture in each of the 12 x 8 cells, (8, 12).

    What is left over at the right and at the bottom belongs to no cell: cells of whole pixels are much
    faster to average.
    """
    height, width = values.shape
    whole = values[: height - height % CELLS[1], : width - width % CELLS[0]]
    if whole.size == 0:
        whole = values
    return np.asarray(cv2.resize(whole, CELLS, interpolation=cv2.INTER_AREA), np.float32)


def reel_of(frames: Gray) -> Reel:
    """The frames of a clip, (T, H, W), by number; what is told of them is kept for the latest 16 asked for."""
    return lru_cache(KEPT)(lambda number: Frame(frames[number]))


def is_blank(gray: Gray) -> bool:
    """Is there nothing to see in a frame, just black, white or one colour?"""
    coarse = cv2.resize(gray, BLANK_TEST, interpolation=cv2.INTER_AREA)
    return float(coarse.std()) < BLANK_STD


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
    end, forth = _lucas_kanade(a, b, start, expected)
    home, back = _lucas_kanade(b, a, end, start + np.float32(0.37) * (end - expected))
    found = (forth[:, 0] == 1) & (back[:, 0] == 1)
    found &= np.linalg.norm((home - start)[:, 0], axis=1) < ROUND_TRIP_PX
    return start[found, 0], end[found, 0]


def _lucas_kanade(a: Frame, b: Frame, start: Points, guess: Points) -> tuple[Points, NDArray[np.uint8]]:
    end, found, _ = cv2.calcOpticalFlowPyrLK(
        a.local,
        b.local,
        start,
        guess.copy(),
        winSize=LK_WINDOW,
        maxLevel=LK_LEVELS,
        criteria=LK_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return end, found
