"""What happens between the frames of a clip, in numbers: motion, stillness, hard cuts."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from resources.measures.picture import spread

Grays = NDArray[np.uint8]

FLOW_SIDE = 96
"""Short side, in pixels, at which motion is measured."""
FLOW_PAIRS = 16
"""Pairs of neighbouring frames at most that motion is measured on."""
COARSE_SIDE = 36
"""Short side, in pixels, of the coarse pictures that are compared for stillness and cuts."""
STILL = 3
"""Gray levels by which a coarse pixel changes at most while nothing moves: what compression leaves."""
SHIFT = 0.2
"""Share of its sides by which the picture may have moved between two frames of one shot."""
ALIKE = 0.75
"""Correlation below which it is looked closer whether two frames are of two shots."""
FOLLOWED = 0.25, 0.5
"""Share of the picture below which two frames have nothing in common that could have moved; and where their
correlation stands out from what is usual around."""
STANDS_OUT = 0.5
"""How much lower than usual a correlation is that stands out."""
AROUND = 3
"""Steps on either side that say what is usual."""
RETURNS = 1.0, 0.1
"""Pixels, and share of the way, by which a point that is followed there and back may miss its start."""
FAINT, PLAIN = 3.0, 12.0
"""Gray levels of detail, as a standard deviation: a blank picture has less than the first, one that shows something
beyond doubt more than the second."""


def shrunk(gray: Grays, side: int) -> Grays:
    """The picture, a whole number of times smaller, with a shorter side of ``side`` pixels or somewhat more."""
    times = max(1, min(gray.shape) // side)
    height, width = (length // times for length in gray.shape)
    whole = gray[: height * times, : width * times]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def still_share(frames: Grays) -> float:
    """Share of the steps between neighbouring frames, 0 to 1, at which nothing in the picture changes.

    As FFmpeg's ``freezedetect``, but by the cell that changes most, so that something small that moves counts.
    ``frames``: (T, H, W), T >= 2.
    """
    coarse = [shrunk(one, COARSE_SIDE) for one in frames]
    return float(np.mean([cv2.absdiff(a, b).max() <= STILL for a, b in pairwise(coarse)]))


def motion(frames: Grays, clock: Sequence[float], cut: Sequence[int] = ()) -> float:
    """Mean length of the optical flow, in shorter sides of the picture a second; steps over a cut left out.

    Flow by dense inverse search (Kroeger et al., ECCV 2016) between up to 16 pairs of neighbouring frames, evenly
    spread. ``frames``: (T, H, W), T >= 2. ``cut``: numbers of the frames that begin a new shot.
    """
    pairs = [
        number for number in range(1, len(frames)) if number not in cut and clock[number] > clock[number - 1]
    ]
    if not pairs:
        return 0.0
    chosen = np.unique(np.linspace(0, len(pairs) - 1, FLOW_PAIRS).astype(int))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    speeds = []
    for number in (pairs[place] for place in chosen):
        before, now = shrunk(frames[number - 1], FLOW_SIDE), shrunk(frames[number], FLOW_SIDE)
        moved = flow.calc(before, now, None)
        length = float(np.linalg.norm(moved, axis=2).mean()) / min(before.shape)
        speeds.append(length / (clock[number] - clock[number - 1]))
    return float(np.mean(speeds))


def cuts(frames: Grays) -> list[int]:
    """Numbers of the frames that begin a new shot, or come out of or go into black.

    Neighbouring frames are compared by the correlation of coarse pictures at the shift that suits them best. Where
    that is low, optical flow decides, by what of the picture is followed from one to the other and back to where it
    was (Sundaram et al., ECCV 2010): a third and more in the fastest pan, hardly anything over a cut.
    ``frames``: (T, H, W).
    """
    coarse = [shrunk(one, COARSE_SIDE) for one in frames]
    detail = np.array([spread(one) for one in coarse])
    alike = np.array([max(_correlation(a, b), _correlation(b, a)) for a, b in pairwise(coarse)])
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    found = []
    for step in np.flatnonzero(alike < ALIKE):
        less, more = sorted(detail[step : step + 2])
        if less < FAINT:
            is_cut = more > PLAIN
        else:
            around = np.r_[alike[max(0, step - AROUND) : step], alike[step + 1 : step + 1 + AROUND]]
            stands_out = bool(len(around) > 0 and np.median(around) - alike[step] > STANDS_OUT)
            before, now = shrunk(frames[step], FLOW_SIDE), shrunk(frames[step + 1], FLOW_SIDE)
            is_cut = _followed(flow, before, now) < FOLLOWED[stands_out]
        if is_cut:
            found.append(int(step) + 1)
    return found


def _followed(flow: cv2.DISOpticalFlow, a: Grays, b: Grays) -> float:
    """Share of what stays within the picture that flow from ``a`` to ``b`` and back returns to its place."""
    there, back = flow.calc(a, b, None), flow.calc(b, a, None)
    ys, xs = np.mgrid[: a.shape[0], : a.shape[1]].astype(np.float32)
    to_x, to_y = xs + there[..., 0], ys + there[..., 1]
    inside = (to_x >= 0) & (to_x < a.shape[1]) & (to_y >= 0) & (to_y < a.shape[0])
    if not inside.any():
        return 0.0
    missed = np.linalg.norm(there + cv2.remap(back, to_x, to_y, cv2.INTER_LINEAR), axis=2)
    allowed = RETURNS[0] + RETURNS[1] * np.linalg.norm(there, axis=2)
    return float((missed < allowed)[inside].mean())


def _correlation(a: Grays, b: Grays) -> float:
    """The largest correlation of the middle of ``a`` with a part of ``b``, -1 to 1; of two blank pictures, 1."""
    down, right = (int(SHIFT * length) for length in a.shape)
    middle = a[down : a.shape[0] - down, right : a.shape[1] - right]
    blank = spread(middle) < FAINT, spread(b) < FAINT
    if any(blank):
        return float(all(blank))
    return float(cv2.matchTemplate(b, middle, cv2.TM_CCOEFF_NORMED).max())
