"""The camera's path through a clip: steps between frames, halved where they fail, chained together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np

from resources.camera_motion.fallback import far_candidates
from resources.camera_motion.hypotheses import Verdict, distinct, likeness, propose, vote
from resources.camera_motion.tracking import Frame, Reel, Transform, follow

STEPS = 8
FRAMES_PER_STEP = 8
SHORT_STEP = 4
MIN_SUPPORT = 0.5
MAX_RIVALRY = 0.45
MIN_SUPPORT_LONG = 0.75
MAX_RIVALRY_LONG = 0.25
MIN_CELLS = 4
ALIKE = 0.35
UNLIKE = 0.2
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

    @property
    def confidence(self) -> float:
        """Which share of the picture supports the path, at its weakest step."""
        return min(verdict.support * (1 - verdict.rivalry) for _, _, verdict in self.links)


def trace(reel: Reel, numbers: Sequence[int]) -> Path:
    """Link the frames of these numbers, first to last, in 8 steps or more (one in eight of a long clip)."""
    last = len(numbers) - 1
    steps = min(last, max(STEPS, -(-last // FRAMES_PER_STEP)))
    samples = [round(i * last / steps) for i in range(steps + 1)]
    path = Path()
    velocity = np.zeros_like(IDENTITY)
    for i, j in pairwise(samples):
        velocity = _link(reel, numbers[i : j + 1], velocity, path)
    return path


def _link(reel: Reel, numbers: Sequence[int], velocity: Transform, path: Path) -> Transform:
    """Add the step over these frames, halving it while it fails; returns the motion of a frame."""
    first, last, length = numbers[0], numbers[-1], len(numbers) - 1
    verdict = measure(reel[first], reel[last], IDENTITY + velocity * length)
    if is_convincing(verdict, long=length > SHORT_STEP):
        path.links.append((first, last, verdict))
        return (verdict.transform - IDENTITY) / length
    if length > 1:
        middle = length // 2
        velocity = _link(reel, numbers[: middle + 1], velocity, path)
        return _link(reel, numbers[middle:], velocity, path)
    likely, alike = last_resort(reel[first], reel[last])
    if likely is not None:
        path.links.append((first, last, likely))
    else:
        path.breaks.append((first, last, Break.CUT if alike < UNLIKE else Break.INCONSISTENT))
    return np.zeros_like(IDENTITY)


def measure(a: Frame, b: Frame, guess: Transform) -> Verdict:
    """The motion from ``a`` to ``b`` that the pictures support best."""
    candidates = [*propose(*follow(a, b, guess)), IDENTITY]
    return vote(a, b, distinct(candidates, a.gray.shape))


def is_convincing(verdict: Verdict, *, long: bool) -> bool:
    """Does enough of the picture support the verdict? Over a long step any doubt is worth halving it."""
    support = MIN_SUPPORT_LONG if long else MIN_SUPPORT
    rivalry = MAX_RIVALRY_LONG if long else MAX_RIVALRY
    return verdict.support >= support and verdict.cells >= MIN_CELLS and verdict.rivalry < rivalry


def last_resort(a: Frame, b: Frame) -> tuple[Verdict | None, float]:
    """The candidate under which two neighbouring frames look most alike, large jumps included.

    A whip pan smears its frames, so that no cell is explained well; but two views of one place still
    correlate (0.6 and more in practice) where two shots do not (below 0.1). Returns that correlation.
    """
    guesses = [*propose(*follow(a, b, IDENTITY)), *far_candidates(a, b), IDENTITY]
    candidates = distinct(guesses, a.gray.shape)
    likenesses = [likeness(a, b, candidate) for candidate in candidates]
    best = int(np.argmax(likenesses))
    if likenesses[best] < ALIKE:
        return None, likenesses[best]
    verdict = vote(a, b, [candidates[best]])
    return replace(verdict, support=max(verdict.support, likenesses[best] / 2)), likenesses[best]
