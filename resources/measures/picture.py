"""What one picture looks like, in numbers: light, contrast, colour, sharpness, black bars."""

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Colour = NDArray[np.uint8]

BLACK = 24
"""Luma up to which a bar is black: 16 in video's own range, with room for the noise of compression."""
MOST_OF_A_SIDE = 0.45
"""A bar is at most this share of its side; a picture that is dark all over has no bars."""


MOSTLY_LIT, RIM = 0.5, 3
"""Share of a line beside a bar that shows something, in one of so many lines: the first may be half black."""


def spread(gray: NDArray) -> float:
    """Standard deviation of a picture, in its own units."""
    return float(cv2.meanStdDev(gray)[1][0, 0])


def brightness(gray: Gray) -> float:
    """Mean luma, 0 (black) to 1 (white). ``gray``: (H, W), luma of ITU-R BT.601."""
    return float(cv2.mean(gray)[0]) / 255


def contrast(gray: Gray) -> float:
    """RMS contrast: the standard deviation of the luma, 0 to 0.5 (Peli, J. Opt. Soc. Am. A 7, 1990)."""
    return spread(gray) / 255


def sharpness(gray: Gray) -> float:
    """Variance of the Laplacian, in squares of gray levels (Pech-Pacheco et al., ICPR 2000).

    Blur takes it away, noise adds to it; about 100 and less is what an eye calls soft at 720 lines.
    """
    return spread(cv2.Laplacian(gray, cv2.CV_16S, ksize=1)) ** 2


def colourfulness(rgb: Colour) -> float:
    """M3 of Hasler and Süsstrunk (SPIE 5007, 2003): 0 is gray, 15 slightly, 59 quite, 109 extremely colourful.

    ``rgb``: (H, W, 3). With rg = R − G and yb = (R + G) / 2 − B: √(σ²rg + σ²yb) + 0.3 √(µ²rg + µ²yb).
    """
    red, green, blue = np.moveaxis(rgb.astype(np.float32), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def within_bars(frames: Gray) -> tuple[slice, slice]:
    """Rows and columns of the picture, without lines from a border on that are black in every frame.

    A bar ends at a line that is lit over most of its length: what is shown on black has no bars around it.
    ``frames``: (T, H, W).
    """
    lit = frames.max(axis=0) > BLACK
    return _within(lit.mean(axis=1)), _within(lit.mean(axis=0))


def _within(lit: NDArray[np.float64]) -> slice:
    length, shown = len(lit), np.flatnonzero(lit)
    if len(shown) == 0:
        return slice(0, length)
    begin, end = int(shown[0]), int(shown[-1]) + 1
    if begin > MOST_OF_A_SIDE * length or lit[begin : begin + RIM].max() < MOSTLY_LIT:
        begin = 0
    if length - end > MOST_OF_A_SIDE * length or lit[end - RIM : end].max() < MOSTLY_LIT:
        end = length
    return slice(begin, end)
