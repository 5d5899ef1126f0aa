"""All measures of a clip, from its overview."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from resources.annotation.clip import Clip
from resources.measures.change import cuts, motion, still_share
from resources.measures.overview import CLOSEUPS, look_over
from resources.measures.phash import phash, signature
from resources.measures.picture import brightness, colourfulness, contrast, sharpness, within_bars
from resources.video.frames import Frames

SAMPLED = 120
"""Lines and columns of a closeup, at least, of which the colours are counted."""
NARROWEST = 32
"""Pixels that the shorter side must have for motion and cuts: on less, OpenCV's flow ends the process."""


def measure_file(clip: Clip) -> dict[str, Any]:
    """Decode the overview of a clip and measure it. Meant for a child process.

    Raises:
        ClipError: the file cannot be read.
    """
    cv2.setNumThreads(1)
    return measure(*look_over(clip, CLOSEUPS))


def measure(frames: Frames, clock: Sequence[float]) -> dict[str, Any]:
    """Measure what is seen within the black bars; of the light and colours of a clip, the median over its closeups.

    Returns:
        As plain JSON, how the frames were had, the numbers and the hash of :data:`resources.measures.kind.COLUMNS`,
        the ``signature`` for near-duplicates, and ``cut_times`` in seconds. ``motion``, ``still_share``, ``cuts`` and
        ``cut_times`` are ``None`` for a single picture; all but ``still_share`` also where the picture has less than
        32 pixels a side.
    """
    near = frames.closeups
    assert near is not None
    rows, columns = within_bars(frames.images)
    seen = np.ascontiguousarray(frames.images[:, rows, columns])
    height, width = (near.shape[i + 1] / frames.images.shape[i + 1] for i in (0, 1))
    inner = near[
        :,
        round(rows.start * height) : round(rows.stop * height),
        round(columns.start * width) : round(columns.stop * width),
    ]
    light = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in inner]
    every = max(1, min(inner.shape[1:3]) // SAMPLED)
    numbers: dict[str, float | None] = dict.fromkeys(("motion", "still_share", "cuts"))
    cut_times = None
    if len(seen) > 1:
        numbers["still_share"] = still_share(seen)
        if min(seen.shape[1:]) >= NARROWEST:
            found = cuts(seen)
            numbers |= {"motion": motion(seen, clock, found), "cuts": len(found)}
            cut_times = [round(clock[number], 3) for number in found]
    numbers |= {
        "sharpness": float(np.median([sharpness(one) for one in light])),
        "brightness": float(np.median([brightness(one) for one in light])),
        "contrast": float(np.median([contrast(one) for one in light])),
        "colourfulness": float(np.median([colourfulness(one[::every, ::every]) for one in inner])),
        "black_bars": 1 - seen.size / frames.images.size,
    }
    return {
        "frames_measured": len(seen),
        **frames.details,
        **{
            name: round(number, 4) if isinstance(number, float) else number
            for name, number in numbers.items()
        },
        "phash": phash(seen[len(seen) // 2]),
        "signature": signature(seen),
        "cut_times": cut_times,
    }
