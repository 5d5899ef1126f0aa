"""The camera's path through a clip: steps between frames, halved where they fail, chained together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from resources.camera_motion.fallback import far_candidates
from resources.camera_motion.hypotheses import Verdict, distinct, propose, vote
from resources.camera_motion.tracking import Frame, Transform, follow

STEPS = 16
FRAMES_PER_STEP = 4
MIN_SUPPORT = 0.5
MIN_SUPPORT_ADJACENT = 0.4
MAX_RIVALRY = 0.45
MIN_CELLS = 4
IDENTITY = np.eye(3)


class Break(StrEnum):
    """Why two neighbouring frames could not be linked."""

    CUT = "cut"
    INCONSISTENT = "inconsistent"


@dataclass
class Path:
    """Where the camera went.

    ``links``: for each step the two frame numbers and the verdict on the motion between them;
    ``breaks``: pairs of neighbouring frames that show no common motion.
    """

    links: list[tuple[int, int, Verdict]] = field(default_factory=list)
    breaks: list[tuple[int, int, Break]] = field(default_factory=list)

    @property
    def positions(self) -> tuple[list[int], list[Transform]]:
        """Frame numbers and transforms from the first frame to each, up to the first break."""
        frames, transforms = [self.links[0][0]], [IDENTITY]
        for i, j, verdict in self.links:
            if i != frames[-1]:
                break
            frames.append(j)
            transforms.append(verdict.transform @ transforms[-1])
        return frames, transforms


def trace(frames: Sequence[Frame]) -> Path:
    """Link the frames from first to last in about 16 steps (one in four frames of a long clip)."""
    last = len(frames) - 1
    steps = min(last, max(STEPS, -(-last // FRAMES_PER_STEP)))
    samples = sorted({round(i * last / steps) for i in range(steps + 1)}) if steps else [0]
    path = Path()
    velocity = np.zeros_like(IDENTITY)
    for i, j in zip(samples, samples[1:], strict=False):
        velocity = _link(frames, i, j, velocity, path)
    return path


def _link(frames: Sequence[Frame], i: int, j: int, velocity: Transform, path: Path) -> Transform:
    """Add the step from frame i to frame j, halving it while it fails; returns the last velocity."""
    verdict = measure(frames[i], frames[j], IDENTITY + velocity * (j - i), adjacent=j - i == 1)
    if verdict is not None:
        path.links.append((i, j, verdict))
        return (verdict.transform - IDENTITY) / (j - i)
    if j - i > 1:
        middle = (i + j) // 2
        return _link(frames, middle, j, _link(frames, i, middle, velocity, path), path)
    path.breaks.append((i, j, Break.CUT))
    return np.zeros_like(IDENTITY)


def measure(a: Frame, b: Frame, guess: Transform, *, adjacent: bool) -> Verdict | None:
    """The camera's motion from ``a`` to ``b``, or None where no candidate explains the pictures."""
    candidates = [*propose(*follow(a, b, guess)), IDENTITY]
    verdict = vote(a, b, distinct(candidates, a.gray.shape))
    if is_convincing(verdict, adjacent=False):
        return verdict
    if not adjacent:
        return None
    more = far_candidates(a, b)
    verdict = vote(a, b, distinct([*candidates, *more], a.gray.shape))
    return verdict if is_convincing(verdict, adjacent=True) else None


def is_convincing(verdict: Verdict, *, adjacent: bool) -> bool:
    """Does enough of the picture support the verdict? Neighbouring frames, the last resort, need less."""
    least = MIN_SUPPORT_ADJACENT if adjacent else MIN_SUPPORT
    return (
        verdict.support >= least and verdict.cells >= MIN_CELLS and (adjacent or verdict.rivalry < MAX_RIVALRY)
    )
