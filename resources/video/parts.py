"""Which frames of a file are those of a clip that is a part of it."""

from bisect import bisect_left
from collections.abc import Sequence

from resources.annotation.clip import Span
from resources.annotation.outcome import undecodable

SAME_TIME_S = 1e-6
"""Times of frames are told from ticks, and those of a list from decimals: closer than this they are the same."""


def part_of(span: Span | None, times_s: Sequence[float | None]) -> range:
    """The numbers of the frames that are shown in a span; all frames where there is none.

    ``times_s``: for each frame of the file, in the order of display, the seconds since the first one.

    Raises:
        ClipError: ``decode_error``: no frame is shown then, or nobody knows when frames are shown.
    """
    if span is None:
        return range(len(times_s))
    if span.in_frames:
        frames = range(int(span.start), min(int(span.end), len(times_s)))
    else:
        known = [time for time in times_s if time is not None]
        if len(known) < len(times_s):
            raise undecodable("the file has no times, so that no part of it can be found")
        first, end = (bisect_left(known, edge - SAME_TIME_S) for edge in (span.start, span.end))
        frames = range(first, end)
    if not frames:
        last = f", the last begins at {times_s[-1]:.3f} s" if times_s and times_s[-1] is not None else ""
        raise undecodable(f"no frame is shown in {span}: the file has {len(times_s)} frames{last}")
    return frames
