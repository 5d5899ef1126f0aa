"""Decoding the frames that a rule picks. Runs inside an isolated worker; ``reader.py`` is the way in.

Two ways, both exact. *Seek*: where the packet table proves that any frame can be reached from the key frame
before it, only what the wanted frames need is decoded. *Sequential*: everything else is decoded once in
order, past errors, counting what comes out. Any doubt in the first way leads to the second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av.logging
import numpy as np
from av.error import FFmpegError

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.animations import is_webp, read_animation
from resources.video.budget import Budget
from resources.video.decord_backend import decode_with_decord
from resources.video.frames import Backend, Frames
from resources.video.images import read_image
from resources.video.packets import PacketTable, may_seek, read_packets
from resources.video.pictures import Picture, PictureShape, PixelFormat, SizeLimit, Taken
from resources.video.sampling import FrameRule
from resources.video.seeking import Doubt, decode_by_seeking
from resources.video.sequential import decode_in_order
from resources.video.streams import open_media, picture_stream

FULL_SIZE = SizeLimit()
BUDGET = Budget()
MOST_COMPLAINTS = 3


def sample_frames(
    path: Path,
    rule: FrameRule,
    kind: Kind = Kind.VIDEO,
    pixel_format: PixelFormat = PixelFormat.RGB,
    limit: SizeLimit = FULL_SIZE,
    backend: Backend = "auto",
    budget: Budget = BUDGET,
    closeups: int = 0,
) -> Frames:
    """Decode the frames of ``path`` that ``rule`` picks, in this process; about ``closeups`` of them in colour too.

    Raises:
        ClipError: ``missing_file``, ``decode_error`` or ``no_video_stream``.
    """
    shape = PictureShape(pixel_format, limit, budget, closeups)
    if kind is Kind.IMAGE:
        return read_image(path, rule, shape)
    if is_webp(path):
        return read_animation(path, rule, shape)
    with _complaints() as complaints:
        table, found = _by_table(path, rule, shape, backend)
        if isinstance(found, str):
            found = _in_order(path, rule, shape, table, why=found)
    found.details["decode_warnings"] += complaints
    return found


def _by_table(
    path: Path, rule: FrameRule, shape: PictureShape, backend: Backend
) -> tuple[PacketTable, Frames | str]:
    """The packet table, and the frames or the reason why they must be had by decoding in order."""
    with open_media(path, headers_only=True) as container:
        stream = picture_stream(container, shape.budget)
        table = read_packets(container, stream, shape.budget.max_frames)
        _require_packets(table, shape.budget)
        why = may_seek(container, stream, table)
        if why is not None:
            return table, why
        indices = rule.indices(len(table.shown))
        if backend == "decord":
            try:
                picture = Picture(shape, stream, len(indices))
                taken = decode_with_decord(path, container, stream, table, indices, picture)
                return table, _frames(indices, taken, len(table.shown), "decord", "sequential", None, [])
            except Doubt as doubt:
                why = str(doubt)
        try:
            taken = decode_by_seeking(container, stream, table, indices, Picture(shape, stream, len(indices)))
            return table, _frames(indices, taken, len(table.shown), "pyav", "seek", why, [])
        except (Doubt, FFmpegError) as doubt:
            return table, str(doubt)


def _in_order(path: Path, rule: FrameRule, shape: PictureShape, table: PacketTable, why: str) -> Frames:
    expected = len(table.shown)
    result = decode_in_order(path, rule.indices(max(expected, 1)), shape)
    if result.num_frames == 0:
        raise ClipError(ErrorKind.DECODE_ERROR, "not one frame could be decoded")
    indices = rule.indices(result.num_frames)
    if not result.taken.keys() >= set(indices):
        counted = result.num_frames
        result = decode_in_order(path, indices, shape)
        if result.num_frames != counted:
            message = f"the file decodes to {counted} frames, then to {result.num_frames}"
            raise ClipError(ErrorKind.DECODE_ERROR, message)
    warnings = [*table.warnings(), *result.damage.warnings()]
    if result.num_frames < expected:
        warnings.append(f"{expected - result.num_frames} of {expected} packets gave no frame")
    found = _frames(indices, result.taken, result.num_frames, "pyav", "sequential", why, warnings)
    if result.deinterlaced:
        found.details["deinterlaced"] = True
    return found


def _require_packets(table: PacketTable, budget: Budget) -> None:
    if len(table.packets) > budget.max_frames:
        raise budget.too_many_frames()
    if not table.packets:
        raise ClipError(ErrorKind.NO_VIDEO_STREAM, "the video stream has no packets")


def _frames(
    indices: list[int],
    taken: dict[int, Taken],
    num_frames: int,
    backend: str,
    access: str,
    why: str | None,
    warnings: list[str],
) -> Frames:
    details: dict[str, Any] = {
        "backend": backend,
        "access": access,
        "why": why,
        "num_frames": num_frames,
        "decode_warnings": warnings,
    }
    near = [closeup for index in indices if (closeup := taken[index].closeup) is not None]
    return Frames(
        images=np.stack([taken[index].pixels for index in indices]),
        indices=indices,
        num_frames=num_frames,
        times_s=[taken[index].time_s for index in indices],
        details=details,
        closeups=np.stack(near) if near else None,
    )


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """A list that holds FFmpeg's distinct error messages, the first few, once the block has ended.

    FFmpeg decodes a damaged file on as well as it can; what it says meanwhile is all that tells of it.
    """
    level, skips_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    complaints: list[str] = []
    try:
        with av.logging.Capture(local=False) as messages:
            yield complaints
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips_repeated)
    errors = (
        f"{source}: {' '.join(text.split())}"
        for severity, source, text in messages
        if severity <= av.logging.ERROR
    )
    complaints.extend(list(dict.fromkeys(errors))[:MOST_COMPLAINTS])
