"""Parts of files, as lists state them: two columns with times or numbers of frames, or one with pairs of times."""

import ast
import re
from collections.abc import Sequence

from resources.annotation.clip import Span

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")


def span_of(start: str, end: str, *, in_frames: bool = False) -> Span:
    """The part from ``start`` on and before ``end``: seconds, ``hh:mm:ss.mmm``, or numbers of frames.

    Raises:
        ValueError: one of them is none, or nothing lies between them.
    """
    span = Span(_frame(start), _frame(end), True) if in_frames else Span(_seconds(start), _seconds(end))
    if not 0 <= span.start < span.end < float("inf"):
        raise ValueError(f"nothing lies between {start} and {end}")
    return span


def spans_of(text: str) -> list[Span]:
    """The parts of a ``timestamp`` column: one pair of times, or a list of pairs.

    Raises:
        ValueError: it is neither.
    """
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        value = None
    pairs = [value] if _is_pair(value) else value
    if not isinstance(pairs, Sequence) or not pairs or not all(map(_is_pair, pairs)):
        raise ValueError(f"{text[:60]!r} is no list of pairs of times")
    return [span_of(str(start), str(end)) for start, end in pairs]


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(one, str | int | float) for one in value)
    )


def _seconds(text: str) -> float:
    if match := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = match.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: give seconds, or hh:mm:ss.mmm") from None


def _frame(text: str) -> float:
    if not re.fullmatch(r"\d+(?:\.0*)?", text.strip()):
        raise ValueError(f"{text!r} is no number of a frame")
    return float(text)
