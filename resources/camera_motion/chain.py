"""The camera's path through a clip: steps between frames, halved where they fail, chained together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from resources.camera_motion.fallback import far_candidates
from resources.camera_motion.hypotheses import Verdict, distinct, likeness, propose, propose_blurred, vote
from resources.camera_motion.layers import Step, settle
from resources.camera_motion.motion import Reason
from resources.camera_motion.tracking import Frame, Reel, Transform, follow

STEPS = 8
FRAMES_PER_STEP = 8
SHORT_STEP = 4
MIN_UNDERSTOOD = 0.5
MIN_UNDERSTOOD_LONG = 0.75
SUPPORT_OF_A_STEP = 0.35
MAX_RIVALRY = 0.5
MIN_CELLS = 4
SAME_VIEW = 0.35
OTHER_VIEW = 0.2
IDENTITY = np.eye(3)


Breaks = list[tuple[int, Reason]]
"""Numbers of the frames that show no motion in common with the one before, and why: a cut, or inconsistent."""


@dataclass(frozen=True)
class Path:
    """Where the camera went: for each step the two frame numbers and the motion between them."""

    links: list[tuple[int, int, Verdict]]
    breaks: Breaks

    @property
    def positions(self) -> tuple[list[int], list[Transform]]:
        """Frame numbers and transforms from the first frame to each, where there is no break."""
        frames, transforms = [self.links[0][0]], [IDENTITY]
        for _, number, verdict in self.links:
            frames.append(number)
            transforms.append(verdict.transform @ transforms[-1])
        return frames, transforms

    @property
    def supports(self) -> list[float]:
        """Which share of the picture supports each step."""
        return [verdict.support * (1 - verdict.rivalry) for _, _, verdict in self.links]


def trace(reel: Reel, numbers: Sequence[int]) -> Path:
    """Link the frames of these numbers, first to last, in 8 steps or more (one in eight of a long clip)."""
    last = len(numbers) - 1
    steps = min(last, max(STEPS, -(-last // FRAMES_PER_STEP)))
    samples = [round(i * last / steps) for i in range(steps + 1)]
    found: list[Step] = []
    breaks: Breaks = []
    velocity = np.zeros_like(IDENTITY)
    for i, j in pairwise(samples):
        velocity = _link(reel, numbers[i : j + 1], velocity, found, breaks)
    return Path(settle(found, reel(numbers[0]).gray.shape), breaks)


def _link(
    reel: Reel, numbers: Sequence[int], velocity: Transform, found: list[Step], breaks: Breaks
) -> Transform:
    """Add the step over these frames, halving it while it fails; returns the motion of a frame."""
    first, last, length = numbers[0], numbers[-1], len(numbers) - 1
    verdicts = measure(reel(first), reel(last), IDENTITY + velocity * length)
    if is_convincing(verdicts[0], long=length > SHORT_STEP):
        found.append(Step(first, last, verdicts))
        return (verdicts[0].transform - IDENTITY) / length
    if length > 1:
        middle = length // 2
        velocity = _link(reel, numbers[: middle + 1], velocity, found, breaks)
        return _link(reel, numbers[middle:], velocity, found, breaks)
    likely, alike = last_resort(reel(first), reel(last))
    if likely is not None:
        found.append(Step(first, last, [likely]))
    else:
        breaks.append((last, Reason.CUT if alike < OTHER_VIEW else Reason.INCONSISTENT))
    return np.zeros_like(IDENTITY)


def measure(a: Frame, b: Frame, guess: Transform) -> list[Verdict]:
    """The motions that may have led from ``a`` to ``b``, the one that the pictures support best first."""
    candidates = propose(*follow(a, b, guess)) or propose_blurred(a, b, guess)
    return vote(a, b, distinct([*candidates, IDENTITY], a.gray.shape))


def is_convincing(verdict: Verdict, *, long: bool) -> bool:
    """Are the pictures understood, and the verdict's part of them large enough? A long step is easily halved."""
    understood = MIN_UNDERSTOOD_LONG if long else MIN_UNDERSTOOD
    return (
        verdict.understood >= understood
        and verdict.support >= SUPPORT_OF_A_STEP
        and verdict.cells >= MIN_CELLS
        and verdict.rivalry < MAX_RIVALRY
    )


def last_resort(a: Frame, b: Frame) -> tuple[Verdict | None, float]:
    """The candidate under which two neighbouring frames look most alike, large jumps included.

    A whip pan smears its frames, so that no cell is explained well; but two views of one place still
    correlate (0.6 and more in practice) where two shots do not (below 0.1). Returns that correlation.
    """
    guesses = [*propose(*follow(a, b, IDENTITY)), *far_candidates(a, b), IDENTITY]
    candidates = distinct(guesses, a.gray.shape)
    likenesses = [likeness(a, b, candidate) for candidate in candidates]
    best = int(np.argmax(likenesses))
    if likenesses[best] < SAME_VIEW:
        return None, likenesses[best]
    (verdict,) = vote(a, b, [candidates[best]])
    return replace(verdict, support=max(verdict.support, likenesses[best] / 2)), likenesses[best]
