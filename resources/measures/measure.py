"""All measures of a clip, from its overview."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from resources.annotation.clip import Clip
from resources.measures.change import cuts, motion, still_share
from resources.measures.overview import CLOSEUPS, Overview, look_over
from resources.measures.phash import phash, signature
from resources.measures.picture import (
    brightness,
    colourfulness,
    contrast,
    sharpness,
    within_bars,
)

SAMPLED = 120
"""Lines and columns of a closeup, at least, of which the colours are counted."""
_NO_NUMBERS = ("phash", "signature", "cut_times", "reading")
NARROWEST = 32
"""Pixels that the shorter side must have for motion and cuts: on less, OpenCV's flow ends the process."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The numbers of a clip, in the units of :data:`resources.measures.kind.COLUMNS`.

    ``motion``, ``still_share``, ``cuts`` and ``cut_times`` (seconds) are ``None`` for a single picture; all but
    ``still_share`` also where the picture has less than 32 pixels a side.
    ``reading`` says how the frames were had.
    """

    motion: float | None
    still_share: float | None
    cuts: int | None
    sharpness: float
    brightness: float
    contrast: float
    colourfulness: float
    black_bars: float
    phash: str
    signature: str
    cut_times: list[float] | None = None
    reading: dict[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float | None]:
        """The columns that are numbers, rounded to what they are good for."""
        numbers = {k: v for k, v in asdict(self).items() if k not in _NO_NUMBERS}
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in numbers.items()}

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON."""
        return {**self.reading, **self.numbers, **{name: getattr(self, name) for name in _NO_NUMBERS[:-1]}}


def measure_file(clip: Clip) -> Measured:
    """Decode the overview of a clip and measure it. Meant for a child process.

    Raises:
        ClipError: the file cannot be read.
    """
    import cv2

    cv2.setNumThreads(1)
    return measure(look_over(clip, CLOSEUPS))


def measure(overview: Overview) -> Measured:
    """Measure what is seen within the black bars; of the light and colours of a clip, the median over its closeups."""
    import cv2

    frames, near = overview.frames, overview.frames.closeups
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
    changes: dict[str, Any] = dict.fromkeys(("motion", "still_share", "cuts", "cut_times"))
    if len(seen) > 1:
        changes["still_share"] = still_share(seen)
        if min(seen.shape[1:]) >= NARROWEST:
            found = cuts(seen)
            changes |= {
                "motion": motion(seen, overview.clock, found),
                "cuts": len(found),
                "cut_times": [round(overview.clock[number], 3) for number in found],
            }
    return Measured(
        **changes,
        sharpness=float(np.median([sharpness(one) for one in light])),
        brightness=float(np.median([brightness(one) for one in light])),
        contrast=float(np.median([contrast(one) for one in light])),
        colourfulness=float(np.median([colourfulness(one[::every, ::every]) for one in inner])),
        black_bars=1 - seen.size / frames.images.size,
        phash=phash(seen[len(seen) // 2]),
        signature=signature(seen),
        reading={"frames_measured": len(seen), **frames.details},
    )
