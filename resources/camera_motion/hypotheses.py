"""How may the camera have moved between two frames, and which of these ways do the pictures support?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.tracking import CELLS, Floats, Frame, Points, Transform, follow, per_cell

RANSAC_PX = 1.2
MAX_PEELS = 3
MIN_INLIERS = 8
MIN_INLIER_SHARE = 0.06
MOST_HALVINGS = 2
MAX_STEP_SCALE = 2.2
MAX_STEP_ROTATION = np.radians(50)
SAME_PX = 0.6

TEXTURED = 1.5
EXPLAINED = 0.55
IN_VIEW = 0.6
MAX_GAIN = 12.0
MIN_OVERLAP = 0.15
DECISIVE = 1.3
FULL_CONTRAST = 2.0
FULL_SHARE = 0.25
WIN = 1.12
BORDER_WEIGHT = 2.0
CELL_WEIGHTS = np.pad(np.ones((CELLS[1] - 2, CELLS[0] - 2), np.float32), 1, constant_values=BORDER_WEIGHT)


@dataclass(frozen=True)
class Verdict:
    """What the pictures say of one hypothesis.

    ``support``: which share of the cells with texture, still in view, it explains; ``cells``: how many
    those are; ``understood``: which share it or another hypothesis explains, the rest is neither camera
    nor a thing that moves as a whole; ``rivalry``: which share of the deciding votes went to others.
    """

    transform: Transform
    support: float
    understood: float
    rivalry: float
    cells: int


def propose(start: Points, end: Points) -> list[Transform]:
    """Up to three similarities by RANSAC, each on the points that the ones before do not explain."""
    found: list[Transform] = []
    least = max(MIN_INLIERS, MIN_INLIER_SHARE * len(start))
    while len(start) >= least and len(found) < MAX_PEELS:
        matrix, inliers = cv2.estimateAffinePartial2D(
            start, end, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX, maxIters=500, confidence=0.995
        )
        if matrix is None or inliers.sum() < least:
            break
        transform = np.vstack([matrix, [0.0, 0.0, 1.0]])
        if is_plausible(transform):
            found.append(transform)
        rest = inliers[:, 0] == 0
        start, end = start[rest], end[rest]
    return found


def propose_blurred(a: Frame, b: Frame, guess: Transform) -> list[Transform]:
    """The same for pictures in which too few corners can be followed, out of focus say: at a half, a quarter."""
    for halvings in range(1, MOST_HALVINGS + 1):
        a, b = a.half, b.half
        enlarge = np.diag([2.0**halvings, 2.0**halvings, 1.0])
        shrink = np.linalg.inv(enlarge)
        found = propose(*follow(a, b, shrink @ guess @ enlarge))
        if found:
            return [enlarge @ transform @ shrink for transform in found]
    return []


def is_plausible(transform: Transform) -> bool:
    """Can a camera do this between two frames of a shot?"""
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    turn = float(np.arctan2(transform[1, 0], transform[0, 0]))
    return 1 / MAX_STEP_SCALE < scale < MAX_STEP_SCALE and abs(turn) < MAX_STEP_ROTATION


def distinct(transforms: Iterable[Transform], shape: tuple[int, int]) -> list[Transform]:
    """The transforms without those that move no corner of the picture differently from one before."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
    kept: list[Transform] = []
    for transform in transforms:
        gaps = [np.abs(((transform - other) @ corners.T)[:2]).max() for other in kept]
        if all(gap > SAME_PX for gap in gaps):
            kept.append(transform)
    return kept


def vote(a: Frame, b: Frame, candidates: list[Transform]) -> list[Verdict]:
    """Let 12 x 8 cells of the picture decide which candidate moved them from ``a`` to ``b``.

    Each candidate brings ``b`` back onto ``a``; a cell votes for the candidates that explain it clearly
    better than others do. So an object with many corners counts by its area only, and a cell which looks
    the same under every candidate does not count, nor does a faint one next to strong ones: that may be
    what compression left there. Cells at the border weigh more: an object seldom
    surrounds the background.
    """
    errors, seen = cell_errors(a, b, candidates)
    floor = a.noise + b.noise
    textured = a.texture > TEXTURED * floor
    usable = np.where(seen, errors, np.inf)
    best = usable.min(axis=0)
    explained = textured & (best < EXPLAINED * a.texture + floor)
    gap = np.where(seen, errors, 0).max(axis=0) - best
    decides = explained & (gap > (DECISIVE - 1) * best + floor)
    say = CELL_WEIGHTS * strength(np.where(decides, gap, 0))
    scores = (say * (usable <= WIN * best + 0.25 * floor)).sum(axis=(1, 2))
    deciding = float(say.sum())
    verdicts = []
    for number in np.argsort(-scores, kind="stable"):
        in_view = CELL_WEIGHTS * strength(np.where(textured & seen[number], a.texture, 0))
        fits = in_view * (errors[number] < EXPLAINED * a.texture + floor)
        whole = max(float(in_view.sum()), 1e-6)
        verdicts.append(
            Verdict(
                transform=candidates[number],
                support=float(fits.sum()) / whole,
                understood=float((in_view * explained).sum()) / whole,
                rivalry=1 - float(scores[number]) / deciding if deciding else 0.0,
                cells=int((fits > 0).sum()),
            )
        )
    return verdicts


def strength(contrast: NDArray[Any]) -> NDArray[Any]:
    """How much a cell counts, 0 to 1: all alike, except those which are faint next to the strongest."""
    return np.minimum(contrast / max(min(FULL_CONTRAST, FULL_SHARE * float(contrast.max())), 1e-6), 1) ** 2


def likeness(a: Frame, b: Frame, candidate: Transform) -> float:
    """Correlation in [-1, 1] of the two pictures, locally equalised, where they overlap under a candidate."""
    back, mask = bring_back(b.local, candidate)
    inside = mask == 1
    if inside.mean() < MIN_OVERLAP:
        return -1.0
    one, other = a.local[inside].astype(np.float32), back[inside].astype(np.float32)
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum() + 1e-6))


def bring_back(picture: NDArray[Any], transform: Transform) -> tuple[NDArray[Any], Floats]:
    """``picture`` as seen from the frame before ``transform``, and 1 where that is inside it, else 0."""
    height, width = picture.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    inside = np.full((height, width), 255, np.uint8)
    back = cv2.warpAffine(picture, transform[:2], (width, height), flags=flags)
    mask = cv2.warpAffine(inside, transform[:2], (width, height), flags=flags)
    return back, (mask == 255).astype(np.float32)


def cell_errors(
    a: Frame, b: Frame, candidates: list[Transform]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Root mean square difference of each cell under each candidate, (N, 8, 12), and whether the cell is in view.

    Brightness and contrast of ``b`` are matched to ``a`` for each candidate first.
    """
    errors, seen = [], []
    for transform in candidates:
        back, mask = bring_back(b.smooth, transform)
        share = per_cell(mask)
        visible = share > IN_VIEW
        area = np.maximum(share, 1e-3)
        gain, offset = exposure(
            (per_cell(back * mask) / area)[visible], (per_cell(a.smooth * mask) / area)[visible]
        )
        squares = (back * gain + offset - a.smooth) ** 2 * mask
        errors.append(np.sqrt(per_cell(squares) / area))
        seen.append(visible)
    return np.stack(errors), np.stack(seen)


def exposure(source: NDArray[Any], target: NDArray[Any]) -> tuple[float, float]:
    """Gain and offset that turn the cell means of one picture into those of another, outliers ignored."""
    if len(source) < 2:
        return 1.0, 0.0
    trust = np.ones_like(source)
    gain, offset = 1.0, 0.0
    for _ in range(4):
        total = trust.sum()
        x, y = (trust * source).sum() / total, (trust * target).sum() / total
        spread = (trust * (source - x) ** 2).sum()
        gain = float(((trust * (source - x) * (target - y)).sum() + total) / (spread + total))
        gain = float(np.clip(gain, 1 / MAX_GAIN, MAX_GAIN))
        offset = float(y - gain * x)
        rest = np.abs(source * gain + offset - target)
        trust = 1 / (1 + (rest / (2 * np.median(rest) + 0.5)) ** 2)
    return gain, offset
