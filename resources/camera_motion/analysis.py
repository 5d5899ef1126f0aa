"""From frames to camera motion: the path is followed, described in numbers and labelled."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.chain import Break, Path, trace
from resources.camera_motion.classify import Label, labels_of_transform
from resources.camera_motion.motion import CameraMotion, Reason, unclassified
from resources.camera_motion.tracking import Reel, Transform


def analyse(
    frames_gray: NDArray[np.uint8],
    size: tuple[int, int],
    threshold: float = 0.25,
    times: Sequence[float] | None = None,
) -> CameraMotion:
    """Classify the camera motion of a clip.

    Args:
        frames_gray: ``(T, H, W)`` uint8, frames in order, the clip's first and last among them. About 64
            evenly spaced frames with a short side of 192 pixels are enough for some seconds.
        size: height and width of the clip as displayed; ``frames_gray`` may be smaller.
        threshold: how far an edge of the picture must move to count, as a fraction of ``min(size)``.
        times: when the frames are shown, in seconds, for ``cuts``. Default: the numbers of the frames.
    """
    if frames_gray.ndim != 3 or len(frames_gray) == 0:
        raise ValueError(f"frames must be (T, H, W) with T >= 1, not of shape {frames_gray.shape}")
    if len(frames_gray) == 1:
        return unclassified(Reason.SINGLE_FRAME)
    clock = list(times) if times is not None else list(range(len(frames_gray)))
    reel = Reel(frames_gray)
    visible = reel.visible()
    if len(visible) < 2:
        return unclassified(Reason.NO_TEXTURE)
    path = trace(reel, visible)
    cuts = tuple(float(clock[j]) for _, j, why in path.breaks if why is Break.CUT)
    if path.breaks:
        return unclassified(Reason.CUT if cuts else Reason.INCONSISTENT, cuts=cuts)
    return _describe(path, reel[0].gray.shape, size, threshold)


def _describe(path: Path, shape: tuple[int, ...], size: tuple[int, int], threshold: float) -> CameraMotion:
    numbers, transforms = path.positions
    total = _rescale(transforms[-1], shape, size)
    height, width = size
    centres = [_rescale(t, shape, size) @ [width / 2, height / 2, 1] for t in transforms]
    centre = centres[-1]
    labels = labels_of_transform(total, size, threshold)
    return CameraMotion(
        labels=labels or (Label.UNCLASSIFIED,),
        reason=None if labels else Reason.INCONSISTENT,
        pan=-float(centre[0] - width / 2) / width,
        tilt=float(centre[1] - height / 2) / height,
        zoom=float(np.sqrt(abs(np.linalg.det(total[:2, :2])))),
        roll_deg=-float(np.degrees(np.arctan2(total[1, 0], total[0, 0]))),
        shake=_shake(np.array(numbers), np.array(centres)[:, :2] / min(size)),
        confidence=min(verdict.support * (1 - verdict.rivalry) for _, _, verdict in path.links),
    )


def _rescale(transform: Transform, shape: tuple[int, ...], size: tuple[int, int]) -> Transform:
    """The transform in pixels of ``size`` instead of pixels of ``shape`` (both height, width)."""
    to_size = np.diag([size[1] / shape[1], size[0] / shape[0], 1.0])
    return to_size @ transform @ np.linalg.inv(to_size)


def _shake(numbers: NDArray[np.int_], centres: NDArray[np.float64]) -> float:
    """Standard deviation around a smooth path, from third differences (their variance is 20 times it)."""
    if len(centres) < 4:
        return 0.0
    evenly = np.linspace(numbers[0], numbers[-1], len(numbers))
    path = np.stack([np.interp(evenly, numbers, axis) for axis in centres.T], axis=1)
    return float(np.sqrt((np.diff(path, 3, axis=0) ** 2).sum(axis=1).mean() / 20))
