"""Decoding the frames that a rule picks. Runs inside an isolated worker; ``reader.py`` is the way in.

Two ways, both exact. *Seek*: where the packet table proves that any frame can be reached from the key frame
before it, only what the wanted frames need is decoded. *Sequential*: everything else is decoded once in
order, past errors, counting what comes out. Any doubt in the first way leads to the second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av.logging
from av.error import FFmpegError

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind, undecodable
from resources.video.animations import is_webp, read_animation
from resources.video.budget import Budget
from resources.video.decord_backend import decode_with_decord
from resources.video.film import film_of
from resources.video.frames import Backend, Frames
from resources.video.images import read_image
from resources.video.packets import PacketTable, may_seek, read_packets
from resources.video.pictures import Picture, PictureShape, PixelFormat, SizeLimit, frames_of
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
        table, times_s, found = _by_table(path, rule, shape, backend)
        if isinstance(found, str):
            found = _in_order(path, rule, shape, table, times_s, why=found)
    found.details["decode_warnings"] += complaints
    return found


def _by_table(
    path: Path, rule: FrameRule, shape: PictureShape, backend: Backend
) -> tuple[PacketTable, list[float | None], Frames | str]:
    """The packet table, what it says of when frames are shown (of use for a part of a file alone), and the frames,
    or the reason why they must be had by decoding in order."""
    with open_media(path, headers_only=True) as container:
        stream = picture_stream(container, shape.budget)
        if rule.span is not None:
            film = film_of(path, shape.budget)
            table, times_s = film.table, film.times_s
        else:
            table = read_packets(container, stream, shape.budget.max_frames)
            times_s = [None] * len(table.shown)
        if len(table.packets) > shape.budget.max_frames:
            raise shape.budget.too_many_frames()
        if not table.packets:
            raise ClipError(ErrorKind.NO_VIDEO_STREAM, "the video stream has no packets")
        why = may_seek(container, stream, table)
        if why is not None:
            return table, times_s, why
        picked = rule.pick(times_s)
        if backend == "decord":
            try:
                picture = Picture(shape, stream, len(picked.wanted))
                taken = decode_with_decord(path, container, stream, table, picked.wanted, picture)
                return table, times_s, frames_of(picked, taken, "decord", "sequential", None, [])
            except Doubt as doubt:
                why = str(doubt)
        try:
            picture = Picture(shape, stream, len(picked.wanted))
            taken = decode_by_seeking(container, stream, table, picked.wanted, picture)
            return table, times_s, frames_of(picked, taken, "pyav", "seek", why, [])
        except (Doubt, FFmpegError) as doubt:
            return table, times_s, str(doubt)


def _in_order(
    path: Path,
    rule: FrameRule,
    shape: PictureShape,
    table: PacketTable,
    times_s: list[float | None],
    why: str,
) -> Frames:
    result = decode_in_order(path, rule.pick(times_s or [0.0]).wanted, shape)
    if not result.times_s:
        raise undecodable("not one frame could be decoded")
    picked = rule.pick(result.times_s)
    if not result.taken.keys() >= set(picked.wanted):
        counted = len(result.times_s)
        result = decode_in_order(path, picked.wanted, shape)
        if len(result.times_s) != counted:
            message = f"the file decodes to {counted} frames, then to {len(result.times_s)}"
            raise undecodable(message)
    warnings = [*table.warnings(), *result.damage.warnings()]
    if len(result.times_s) < len(times_s):
        warnings.append(f"{len(times_s) - len(result.times_s)} of {len(times_s)} packets gave no frame")
    found = frames_of(picked, result.taken, "pyav", "sequential", why, warnings)
    if result.deinterlaced:
        found.details["deinterlaced"] = True
    return found


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
