"""What a captioner needs of the module that reads frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from resources.annotation.clip import Kind
from resources.video.sampling import FrameRule


class Frames(Protocol):
    """The frames of one clip."""

    @property
    def images(self) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB, rotated as displayed."""

    @property
    def indices(self) -> Sequence[int]:
        """The number of each frame in the clip, from 0."""

    @property
    def details(self) -> dict[str, Any]:
        """What else is worth recording: frame count, times, signs of damage."""


class FrameReader(Protocol):
    """Reads frames of any file, from many threads at once."""

    def read(self, path: Path, kind: Kind, rule: FrameRule) -> Frames:
        """The frames that the rule picks.

        Raises:
            ClipError: the file cannot be decoded.
        """
