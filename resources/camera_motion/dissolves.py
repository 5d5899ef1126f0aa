"""Shots that melt into each other: no two neighbouring frames differ much, the first and the last entirely."""

from collections.abc import Sequence

import numpy as np

from resources.camera_motion.hypotheses import bring_back, distinct, likeness, propose, vote
from resources.camera_motion.tracking import Reel, Transform, follow

MIN_SHARED = 0.6
SAME_PLACE = 0.1
CLEAR_TEXTURE = 4.0
MIN_CLEAR = 0.5
SUPPORT_OF_ONE_SHOT = 0.2


def find_dissolve(reel: Reel, numbers: Sequence[int], transforms: Sequence[Transform]) -> int | None:
    """The frame by which one shot has become another, or None.

    While two shots are blended, each step shows something that stays in place. But if the camera really
    went where the steps say, the first picture and the last must agree where they overlap. Only asked of
    pictures that share enough area and are clear enough to tell.

    Args:
        numbers: frame numbers along the path.
        transforms: from the first frame to each of them.
    """
    first, last, total = reel(numbers[0]), reel(numbers[-1]), transforms[-1]
    _, shared = bring_back(last.gray, total)
    if (
        shared.mean() < MIN_SHARED
        or min(np.mean(f.texture > CLEAR_TEXTURE) for f in (first, last)) < MIN_CLEAR
    ):
        return None
    ways = distinct([total, *propose(*follow(first, last, total))], first.gray.shape)
    if max(likeness(first, last, way) for way in ways) > SAME_PLACE:
        return None
    if max(verdict.support for verdict in vote(first, last, ways)) > SUPPORT_OF_ONE_SHOT:
        return None
    for number, transform in zip(numbers, transforms, strict=True):
        onward = total @ np.linalg.inv(transform)
        if likeness(reel(number), last, onward) > likeness(first, reel(number), transform):
            return number
    return numbers[-1]
