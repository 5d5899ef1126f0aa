"""Clips whose frames show their own number, without a file behind them."""

from pathlib import Path
from typing import Any

import numpy as np
from misbehaving_server import picture

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.frames import Frames
from resources.video.sampling import FrameRule


class NumberedFrames:
    """Stands in for a `FrameReader`: draws the number in the file's name. ``unreadable`` ones fail."""

    def __init__(self, unreadable: frozenset[int] = frozenset()) -> None:
        self._unreadable = unreadable
        self.read_count = 0

    def read(self, path: Path, kind: Kind, rule: FrameRule, **sizes: Any) -> Frames:
        number = int(path.stem)
        self.read_count += 1
        if number in self._unreadable:
            raise ClipError(ErrorKind.DECODE_ERROR, "unreadable on script")
        indices = rule.indices(100)
        return Frames(np.stack([picture(number)] * len(indices)), indices, 100, [None] * len(indices))


def clips(count: int, start: int = 0) -> list[Clip]:
    """Video clips number ``start`` up to ``start + count``."""
    numbers = range(start, start + count)
    return [Clip(f"c{n}", Path(f"{n}.mp4"), content_id=f"content-{n}", height=16, width=192) for n in numbers]
