"""What the headers of a video or image say: size, rate, frame count, codec; no picture is decoded."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from resources.annotation.clip import Kind, Span
from resources.annotation.outcome import ClipError, undecodable
from resources.video.isolated import isolated
from resources.video.workers import IsolatedWorkers

if TYPE_CHECKING:
    from resources.video.headers import Probe

CLIPS_PER_CALL = 16

Item: TypeAlias = tuple[Path, Kind] | tuple[Path, Kind, Span | None]
"""A file, and the part of it that is meant, if not all of it."""


def probe(path: Path, kind: Kind = Kind.VIDEO, span: Span | None = None) -> "Probe":
    """Read the headers of one file, in this process.

    Raises:
        ClipError: ``missing_file``, ``no_video_stream`` or ``decode_error``, with one sentence of reason.
    """
    from resources.video.headers import image_headers, video_headers

    if kind is Kind.VIDEO:
        return video_headers(path, span)
    if span is not None:
        raise undecodable(f"an image has no part {span}")
    return image_headers(path)


def probe_many(items: Sequence[Item], workers: IsolatedWorkers) -> "list[Probe | ClipError]":
    """Read the headers of many files in isolated workers; one answer for each, in their order.

    Files travel in batches; one that hangs or crashes its worker fails alone, its batch is read again.
    """
    batches = isolated(probe, items, CLIPS_PER_CALL, workers)
    return [answer for batch in batches for _, answer in batch]
