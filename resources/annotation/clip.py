"""A clip: one row of a shard, as the annotators see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self


class Kind(StrEnum):
    """What a file is, told by its extension when it is indexed."""

    VIDEO = "video"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video: what is shown from ``start`` on and before ``end``.

    Both are seconds from the first frame of the file, or with ``in_frames`` numbers of frames from 0.
    """

    start: float
    end: float
    in_frames: bool = False

    def __str__(self) -> str:
        return f"{self.start:.0f}-{self.end:.0f} f" if self.in_frames else f"{self.start!r}-{self.end!r} s"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``."""
        numbers, unit = text.split()
        start, end = numbers.split("-")
        return cls(float(start), float(end), unit == "f")


@dataclass(frozen=True, slots=True)
class Clip:
    """One video or image file, or a part of a video, and what its headers say.

    ``start_s`` and ``end_s`` say which part, in seconds from the first frame of the file; all that follows is of
    this part alone. ``height`` and ``width`` are pixels as displayed (rotation applied); ``fps`` is the average frame
    rate; ``duration_s`` is in seconds. All of them are ``None`` where ``probe_error`` is set, and such
    a clip is never handed to an annotator. ``text`` is the caption that came with the source list or,
    for a tagger, the caption to read; ``answers`` are those of the annotators that are read, by asset.
    """

    id: str
    path: Path
    kind: Kind = Kind.VIDEO
    content_id: str | None = None
    num_frames: int | None = None
    height: int | None = None
    width: int | None = None
    fps: float | None = None
    duration_s: float | None = None
    codec: str | None = None
    text: str | None = None
    probe_error: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def span(self) -> Span | None:
        """The part of the file; ``None`` for all of it."""
        return None if self.start_s is None or self.end_s is None else Span(self.start_s, self.end_s)
