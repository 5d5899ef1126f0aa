"""Which of the things that move is the background? Told by the votes of the whole clip, not of one step."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.hypotheses import Verdict

JUMP_COST = 0.15
FULL_JUMP = 0.02


@dataclass(frozen=True)
class Step:
    """Two frame numbers and the verdicts on what may have moved the picture from one to the other."""

    first: int
    last: int
    verdicts: list[Verdict]

    def velocities(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """How each verdict moves the corners of the picture, in shorter sides a frame: (N, 2, 4)."""
        height, width = shape[:2]
        corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], np.float64)
        moved = (np.stack([verdict.transform for verdict in self.verdicts]) - np.eye(3)) @ corners
        return np.asarray(moved[:, :2] / (min(height, width) * (self.last - self.first)))


def settle(steps: list[Step], shape: tuple[int, ...]) -> list[tuple[int, int, Verdict]]:
    """Choose one verdict for each step: the smooth chain that wins most votes over all steps.

    An object that moves against the camera may win single steps, where it is closer to a clear texture
    than the background is; both move on steadily, so each is one chain, and their votes add up. A change
    of velocity costs up to 0.15 votes, all of it from 2 % of the shorter side per frame on. (Viterbi's
    algorithm.)
    """
    if not steps:
        return []
    scores = [_votes(steps[0])]
    came_from: list[NDArray[np.int_]] = []
    for before, after in itertools.pairwise(steps):
        jumps = np.abs(after.velocities(shape)[:, None] - before.velocities(shape)[None]).max(axis=(2, 3))
        reach = scores[-1][None] - JUMP_COST * np.minimum(jumps / FULL_JUMP, 1)
        came_from.append(reach.argmax(axis=1))
        scores.append(_votes(after) + reach.max(axis=1))
    choice = int(scores[-1].argmax())
    chosen = [choice]
    for origins in reversed(came_from):
        choice = int(origins[choice])
        chosen.append(choice)
    return [
        (step.first, step.last, step.verdicts[number])
        for step, number in zip(steps, reversed(chosen), strict=True)
    ]


def _votes(step: Step) -> NDArray[np.float64]:
    return np.array([1 - verdict.rivalry for verdict in step.verdicts])
