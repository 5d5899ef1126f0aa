"""A clip: one row of a shard, as the annotators see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What a file is, told by its extension when it is indexed."""

    VIDEO = "video"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Clip:
    """One video or image file and what its headers say.

    ``height`` and ``width`` are pixels as displayed (rotation applied); ``fps`` is the average frame
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
    answers: Mapping[str, str] = field(default_factory=dict)
