"""A path of the camera in numbers: how far it panned, tilted, zoomed, rolled, and how steadily."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.classify import Label
from resources.camera_motion.motion import CameraMotion, Reason


def describe(
    labels: tuple[Label, ...],
    numbers: Sequence[int],
    transforms: Sequence[NDArray[np.float64]],
    size: tuple[int, int],
    confidence: float,
) -> CameraMotion:
    """Put labels and numbers together; no labels become `unclassified`, `inconsistent`.

    Args:
        numbers: frame numbers, ascending.
        transforms: (3, 3) each, from pixels of the first frame to those of each numbered one.
        size: height and width of the frames.
    """
    height, width = size
    total = transforms[-1]
    centres = np.array([(t @ [width / 2, height / 2, 1])[:2] for t in transforms])
    moved = (centres[-1] - [width / 2, height / 2]) / [width, height]
    return CameraMotion(
        labels=labels or (Label.UNCLASSIFIED,),
        reason=None if labels else Reason.INCONSISTENT,
        pan=-float(moved[0]),
        tilt=float(moved[1]),
        zoom=float(np.sqrt(abs(np.linalg.det(total[:2, :2])))),
        roll_deg=-float(np.degrees(np.arctan2(total[1, 0], total[0, 0]))),
        shake=shake(np.array(numbers), centres / min(size)),
        confidence=confidence,
    )


def shake(numbers: NDArray[np.int_], centres: NDArray[np.float64]) -> float:
    """Standard deviation around a smooth path, from third differences (their variance is 20 times it)."""
    if len(centres) < 4:
        return 0.0
    evenly = np.linspace(numbers[0], numbers[-1], len(numbers))
    path = np.stack([np.interp(evenly, numbers, axis) for axis in centres.T], axis=1)
    return float(np.sqrt((np.diff(path, 3, axis=0) ** 2).sum(axis=1).mean() / 20))
