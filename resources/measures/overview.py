"""The frames of a clip that its camera motion and its measures are told from, had in one pass over the file."""

import math
from typing import TYPE_CHECKING

from resources.annotation.clip import Clip
from resources.video.sampling import FrameRule, RuleKind

if TYPE_CHECKING:
    from resources.video.frames import Frames

FRAMES = 64
FRAMES_PER_SECOND = 4
MAX_FRAMES = 2048
SHORT_SIDE = 192
"""Short side, in pixels, of the gray frames; larger ones are shrunk to it."""
CLOSEUPS = 4
SAMPLING = {
    "frames": FRAMES,
    "frames_per_second": FRAMES_PER_SECOND,
    "max_frames": MAX_FRAMES,
    "short_side": SHORT_SIDE,
}
"""What the recipes say of the frames."""


def frame_rule(duration_s: float | None) -> FrameRule:
    """First to last frame, 64 of them, or four a second (2,048 at most) where that is more."""
    wanted = math.ceil((duration_s or 0) * FRAMES_PER_SECOND) + 1
    return FrameRule(RuleKind.LINSPACE, min(max(FRAMES, wanted), MAX_FRAMES))


def look_over(clip: Clip, closeups: int = 0) -> tuple["Frames", list[float]]:
    """Decode the overview of a clip, here. Meant for a child process.

    Returns:
        Frames from the first to the last, gray, with a shorter side of at most 192 pixels, and so many of them as
        ``closeups``; and seconds from the first frame to each.

    Raises:
        ClipError: the file cannot be read.
    """
    from resources.video.decode import sample_frames
    from resources.video.pictures import PixelFormat, SizeLimit

    frames = sample_frames(
        clip.path,
        frame_rule(clip.duration_s).within(clip.span),
        clip.kind,
        PixelFormat.GRAY,
        SizeLimit(short_side=SHORT_SIDE),
        closeups=closeups,
    )
    clock = [
        time_s if time_s is not None else index / (clip.fps or 25.0)
        for index, time_s in zip(frames.indices, frames.times_s, strict=True)
    ]
    return frames, clock
