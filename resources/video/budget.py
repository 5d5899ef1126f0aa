"""What one clip may cost, told from its headers before anything is decoded."""

import os
from dataclasses import dataclass

from resources.annotation.outcome import ClipError, undecodable

PIXELS = "VIDCAP_MAX_PIXELS"
"""The variable by which a child is told ``max_pixels``."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one clip may cost. A clip over it is a ``decode_error``, told from its headers before decoding.

    ``max_pixels`` of one picture; ``max_frames`` decoded in one pass; ``max_bytes`` of pixels handed back.
    """

    max_pixels: int = int(os.environ.get(PIXELS, 64_000_000))
    max_frames: int = 500_000
    max_bytes: int = 2 * 1024**3

    def too_many_frames(self) -> ClipError:
        """The error of a clip with more frames than ``max_frames``."""
        return undecodable(f"more than the budget of {self.max_frames:,} frames")

    def check_size(self, width: int, height: int) -> None:
        """Raise the ``decode_error`` of a picture that is too large."""
        if width * height > self.max_pixels:
            raise undecodable(
                f"pictures of {width}x{height} are over the budget of {self.max_pixels:,} pixels "
                "(decode: max_pixels)",
            )

    def check_bytes(self, frames: int, width: int, height: int, channels: int) -> None:
        """Raise the ``decode_error`` of more pixels than can be handed back."""
        needed = frames * width * height * channels
        if needed > self.max_bytes:
            raise undecodable(
                f"{frames} frames of {width}x{height} are over the budget of {self.max_bytes:,} bytes",
            )
