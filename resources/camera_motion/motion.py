"""What the camera did in a clip: the labels and the numbers behind them."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from resources.camera_motion.classify import Label


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
        return numbers | {
            "labels": [str(label) for label in self.labels],
            "cuts": [round(time, 3) for time in self.cuts],
        }


def unclassified(reason: Reason, **numbers: Any) -> CameraMotion:
    """A motion without a class, and why."""
    return CameraMotion((Label.UNCLASSIFIED,), reason, **numbers)
