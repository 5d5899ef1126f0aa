"""From frames to camera motion: the path is followed, described in numbers and labelled."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.bars import picture_area
from resources.camera_motion.chain import trace
from resources.camera_motion.classify import labels_of_transform
from resources.camera_motion.describe import describe
from resources.camera_motion.dissolves import find_dissolve
from resources.camera_motion.motion import CameraMotion, Reason, unclassified
from resources.camera_motion.tracking import is_blank, reel_of

ONE_THING_MOVES = 0.6
"""Below this usual confidence several things move: the first picture and the last need not agree."""

NARROWEST = 8
"""Pictures with a shorter side of less pixels than this show too little to be followed."""


def analyse(
    frames_gray: NDArray[np.uint8],
    size: tuple[int, int],
    threshold: float = 0.25,
    times: Sequence[float] | None = None,
) -> CameraMotion:
    """Classify the camera motion of a clip.

    Args:
        frames_gray: ``(T, H, W)`` uint8, frames in order, the clip's first and last among them, with a short
            side of at most 192 pixels. About 64 evenly spaced frames are enough for some seconds.
        size: height and width of the clip as displayed; ``frames_gray`` may be smaller.
        threshold: how far an edge of the picture must move to count, as a fraction of ``min(size)``.
        times: when the frames are shown, in seconds, for ``cuts``. Default: the numbers of the frames.
    """
    if frames_gray.ndim != 3 or len(frames_gray) == 0:
        raise ValueError(f"frames must be (T, H, W) with T >= 1, not of shape {frames_gray.shape}")
    if len(frames_gray) == 1:
        return unclassified(Reason.SINGLE_FRAME)
    clock = list(times) if times is not None else list(range(len(frames_gray)))
    rows, columns = picture_area(frames_gray)
    picture = frames_gray[:, rows, columns]
    visible = [number for number, gray in enumerate(picture) if not is_blank(gray)]
    if len(visible) < 2 or min(frames_gray.shape[1:]) < NARROWEST:
        return unclassified(Reason.NO_TEXTURE)
    reel = reel_of(picture)
    path = trace(reel, visible)
    cuts = tuple(float(clock[number]) for number, why in path.breaks if why is Reason.CUT)
    if path.breaks:
        return unclassified(Reason.CUT if cuts else Reason.INCONSISTENT, cuts=cuts)
    numbers, steps = path.positions
    supports = path.supports
    usual_confidence = sum(supports) / len(supports)
    melted = find_dissolve(reel, numbers, steps) if usual_confidence > ONE_THING_MOVES else None
    if melted is not None:
        return unclassified(Reason.CUT, cuts=(float(clock[melted]),))
    height, width = frames_gray.shape[1:]
    to_frame = [[1, 0, columns.start], [0, 1, rows.start], [0, 0, 1]]
    to_size = np.diag([size[1] / width, size[0] / height, 1.0]) @ to_frame
    transforms = [to_size @ transform @ np.linalg.inv(to_size) for transform in steps]
    labels = labels_of_transform(transforms[-1], size, threshold)
    return describe(labels, numbers, transforms, size, min(supports))
