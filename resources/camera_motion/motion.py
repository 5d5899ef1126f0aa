"""What the camera did in a clip: labels by the seed's rules and the numbers behind them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.chain import Path, trace
from resources.camera_motion.classify import Label, labels_of_transform
from resources.camera_motion.tracking import Frame, Transform


class Reason(StrEnum):
    """Why a clip is `unclassified`."""

    CUT = "cut"
    NO_TEXTURE = "no_texture"
    INCONSISTENT = "inconsistent"
    SINGLE_FRAME = "single_frame"


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """The camera's motion from the first frame of a clip to its last.

    ``labels`` are sorted in the order of :class:`Label`; `unclassified` stands alone and has a ``reason``.
    The numbers are ``None`` where the motion could not be followed from the first frame to the last:

    - ``pan``: how far the camera turned to the right, in widths of the frame (left is negative);
    - ``tilt``: how far it turned up, in heights of the frame (down is negative);
    - ``zoom``: how much larger things got (2.0: twice; 0.5: half);
    - ``roll_deg``: how far the camera turned clockwise, in degrees;
    - ``shake``: how unsteady it was, as the standard deviation of its position around a smooth path, in
      shorter sides of the frame.

    ``confidence`` in [0, 1] is the share of the picture that supports the motion, at the worst moment.
    ``cuts``: times of the scene cuts that were met.
    """

    labels: tuple[Label, ...]
    reason: Reason | None = None
    pan: float | None = None
    tilt: float | None = None
    zoom: float | None = None
    roll_deg: float | None = None
    shake: float | None = None
    confidence: float = 0.0
    cuts: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The labels as the table shows them: ``pan_left+zoom_in``."""
        return "+".join(self.labels)

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON-able data, numbers rounded to what they are good for."""
        numbers = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return numbers | {"labels": list(self.labels), "cuts": [round(time, 3) for time in self.cuts]}


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
    prepared = [Frame.from_gray(gray) for gray in frames_gray]
    visible = [i for i, frame in enumerate(prepared) if not frame.is_blank]
    if len(visible) < 2:
        return unclassified(Reason.NO_TEXTURE)
    path = trace([prepared[i] for i in visible])
    if path.breaks:
        return unclassified(Reason.CUT, cuts=tuple(float(clock[visible[j]]) for _, j, _ in path.breaks))
    return _describe(path, prepared[0].gray.shape, size, threshold)


def unclassified(reason: Reason, **numbers: Any) -> CameraMotion:
    """A motion without a class, and why."""
    return CameraMotion((Label.UNCLASSIFIED,), reason, **numbers)


def _describe(path: Path, shape: tuple[int, ...], size: tuple[int, int], threshold: float) -> CameraMotion:
    _, transforms = path.positions
    total = _rescale(transforms[-1], shape, size)
    height, width = size
    centres = [_rescale(t, shape, size) @ [width / 2, height / 2, 1] for t in transforms]
    centre = centres[-1]
    labels = labels_of_transform(total, size, threshold)
    return CameraMotion(
        labels=labels or (Label.UNCLASSIFIED,),
        reason=None if labels else Reason.INCONSISTENT,
        pan=-(centre[0] - width / 2) / width,
        tilt=(centre[1] - height / 2) / height,
        zoom=float(np.sqrt(abs(np.linalg.det(total[:2, :2])))),
        roll_deg=-float(np.degrees(np.arctan2(total[1, 0], total[0, 0]))),
        shake=_shake(np.array(centres)[:, :2] / min(size)),
        confidence=min(verdict.support * (1 - verdict.rivalry) for _, _, verdict in path.links),
    )


def _rescale(transform: Transform, shape: tuple[int, ...], size: tuple[int, int]) -> Transform:
    """The transform in pixels of ``size`` instead of pixels of ``shape`` (both height, width)."""
    to_size = np.diag([size[1] / shape[1], size[0] / shape[0], 1.0])
    return to_size @ transform @ np.linalg.inv(to_size)


def _shake(centres: NDArray[np.float64]) -> float:
    """Standard deviation around a smooth path, from third differences (their variance is 20 times it)."""
    if len(centres) < 4:
        return 0.0
    return float(np.sqrt((np.diff(centres, 3, axis=0) ** 2).sum(axis=1).mean() / 20))
