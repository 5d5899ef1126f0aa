"""A frame that was decoded and converted, on its way to a :class:`~resources.video.frames.Frames`."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(frozen=True, slots=True)
class Taken:
    """Pixels as displayed, uint8 (H, W, 3) or (H, W), and seconds from the first frame of the clip."""

    pixels: np.ndarray
    time_s: float | None


def seconds_between(first_pts: int | None, pts: int | None, time_base: Fraction | None) -> float | None:
    """``None`` where the file has no presentation times."""
    if first_pts is None or pts is None or time_base is None:
        return None
    return float((pts - first_pts) * time_base)
