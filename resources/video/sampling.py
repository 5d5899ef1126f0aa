"""Which frames of a clip are looked at: pure rules from a frame count to frame indices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from resources.annotation.clip import Span
from resources.video.parts import part_of

SEED_POINTS: dict[int, tuple[float, ...]] = {1: (0.5,), 2: (0.25, 0.75), 3: (0.1, 0.5, 0.9)}


class RuleKind(StrEnum):
    """How the wanted frames are spread over the clip."""

    PLLAVA = "pllava"
    POINTS = "points"
    LINSPACE = "linspace"


@dataclass(frozen=True, slots=True)
class Picked:
    """Frames by their numbers in the file: ``part`` is the clip, from ``begin_s`` on, ``wanted`` is looked at."""

    part: range
    begin_s: float
    wanted: list[int]


@dataclass(frozen=True, slots=True)
class FrameRule:
    """A rule that picks ``count`` frames of a clip.

    - ``pllava``: PLLaVA's ``get_index``: segments of ``(n - 1) / count``, starting half a segment in,
      rounded half to even. Always ``count`` indices; short clips repeat some.
    - ``points``: Open-Sora's ``NUM_FRAMES_POINTS`` (1, 2 or 3 frames at fixed fractions), ``int(p * n)``.
      Always ``count`` indices.
    - ``linspace``: evenly spaced from the first frame to the last, both included. At most ``count``
      indices, never one twice: a clip of fewer frames gives all it has.

    With a ``span``, the clip is that part of the file.

    Raises:
        ValueError: ``count`` is not positive, or has no ``points``.
    """

    kind: RuleKind
    count: int
    span: Span | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", RuleKind(self.kind))
        if self.count < 1:
            raise ValueError(f"a frame rule must pick at least one frame, not {self.count}")
        if self.kind is RuleKind.POINTS and self.count not in SEED_POINTS:
            raise ValueError(f"the points rule is defined for 1, 2 or 3 frames, not {self.count}; use pllava")

    @classmethod
    def for_captioning(cls, count: int) -> "FrameRule":
        """Open-Sora's choice for API and LLaVA captioners: points for 1 to 3 frames, PLLaVA's beyond."""
        return cls(RuleKind.POINTS if count in SEED_POINTS else RuleKind.PLLAVA, count)

    def within(self, span: Span | None) -> "FrameRule":
        """The same rule for a part of a file."""
        return replace(self, span=span)

    def pick(self, times_s: Sequence[float | None]) -> "Picked":
        """The frames of a file to look at. ``times_s``: see :func:`part_of`, which raises what this does."""
        part = part_of(self.span, times_s)
        wanted = [part.start + index for index in self.indices(len(part))]
        return Picked(part, times_s[part.start] or 0.0, wanted)

    def indices(self, num_frames: int) -> list[int]:
        """Ascending frame indices, each in ``[0, num_frames - 1]``.

        Raises:
            ValueError: ``num_frames`` is not positive: there is no frame to pick.
        """
        if num_frames < 1:
            raise ValueError(f"cannot pick {self.count} frames from a clip of {num_frames}")
        match self.kind:
            case RuleKind.PLLAVA:
                segment = (num_frames - 1) / self.count
                start = int(segment / 2)
                return [min(start + round(segment * i), num_frames - 1) for i in range(self.count)]
            case RuleKind.POINTS:
                return [min(int(point * num_frames), num_frames - 1) for point in SEED_POINTS[self.count]]
            case RuleKind.LINSPACE:
                import numpy as np

                spread = np.linspace(0, num_frames - 1, min(self.count, num_frames))
                return [int(index) for index in np.round(spread)]

    def to_json(self) -> dict[str, str | int]:
        """What a recipe records of this rule."""
        return {"kind": self.kind.value, "count": self.count}
