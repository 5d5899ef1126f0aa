"""From one transform of the picture to camera motion labels: Open-Sora's edge rules, as pure functions."""

from enum import StrEnum
from itertools import product

import numpy as np
from numpy.typing import NDArray

GRID = 10
MARGIN = 1 / 64
CENTRE = slice(GRID // 2 - 2, GRID // 2 + 2)


class Label(StrEnum):
    """The closed set of camera motion labels, in the order in which they are joined."""

    PAN_RIGHT = "pan_right"
    PAN_LEFT = "pan_left"
    TILT_UP = "tilt_up"
    TILT_DOWN = "tilt_down"
    ZOOM_IN = "zoom_in"
    ZOOM_OUT = "zoom_out"
    STATIC = "static"
    UNCLASSIFIED = "unclassified"


BOTH_SIDES = {
    ("left", "left"): Label.PAN_RIGHT,
    ("right", "right"): Label.PAN_LEFT,
    ("down", "down"): Label.TILT_UP,
    ("up", "up"): Label.TILT_DOWN,
    ("still", "still"): Label.STATIC,
}
TOP_BOTTOM = BOTH_SIDES | {("up", "down"): Label.ZOOM_IN, ("down", "up"): Label.ZOOM_OUT}
LEFT_RIGHT = BOTH_SIDES | {("left", "right"): Label.ZOOM_IN, ("right", "left"): Label.ZOOM_OUT}


def grid_points(size: tuple[int, int]) -> NDArray[np.float64]:
    """The 10 x 10 points that Open-Sora's script follows, ``(10, 10, 2)`` as x, y in pixels of ``size`` (h, w).

    They keep a margin of 1/64 of the width from every border, as CoTracker's own grid does.
    """
    height, width = size
    margin = width * MARGIN
    xs = np.linspace(margin, width - margin, GRID)
    ys = np.linspace(margin, height - margin, GRID)
    return np.stack(np.meshgrid(xs, ys), axis=-1)


def labels_of_transform(
    transform: NDArray[np.float64], size: tuple[int, int], threshold: float
) -> tuple[Label, ...]:
    """Labels of a clip whose first picture is mapped onto its last by ``transform``.

    Args:
        transform: ``(3, 3)``, from pixels of the first frame to pixels of the last, both of ``size``.
        size: height and width of the displayed picture.
        threshold: how far an edge must move to count, as a fraction of the shorter side.
    """
    start = grid_points(size)
    flat = np.concatenate([start.reshape(-1, 2), np.ones((GRID * GRID, 1))], axis=1) @ transform.T
    return labels_of_grid(start, (flat[:, :2] / flat[:, 2:]).reshape(start.shape), size, threshold)


def labels_of_grid(
    start: NDArray[np.float64], end: NDArray[np.float64], size: tuple[int, int], threshold: float
) -> tuple[Label, ...]:
    """The rules of Open-Sora's ``camera_motion.py`` on a 10 x 10 grid of points followed through the clip.

    The four middle points of each of the four edges are averaged. An edge goes left, right, up or down
    when it moved by more than ``threshold x min(height, width)`` (sideways and vertically on its own),
    else it is still. Opposite edges that agree make a pan, a tilt or ``static``; edges that part or meet
    make a zoom. ``static`` gives way to any motion; an empty result means that the edges fit no rule
    (a roll, for example).

    Args:
        start, end: ``(10, 10, 2)`` x, y in pixels of ``size``; rows from the top, columns from the left.
    """
    reach = threshold * min(size)
    moved = end - start
    top, bottom = _directions(moved[0, CENTRE], reach), _directions(moved[-1, CENTRE], reach)
    left, right = _directions(moved[CENTRE, 0], reach), _directions(moved[CENTRE, -1], reach)
    found = {TOP_BOTTOM.get(pair) for pair in product(top, bottom)}
    found |= {LEFT_RIGHT.get(pair) for pair in product(left, right)}
    found.discard(None)
    if len(found) > 1:
        found.discard(Label.STATIC)
    return tuple(label for label in Label if label in found)


def _directions(moved: NDArray[np.float64], reach: float) -> list[str]:
    x, y = moved.mean(axis=0)
    sideways = ["right"] if x > reach else ["left"] if x < -reach else []
    vertical = ["down"] if y > reach else ["up"] if y < -reach else []
    return sideways + vertical or ["still"]
