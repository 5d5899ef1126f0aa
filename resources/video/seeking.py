"""Reaching single frames from the key frame before them, for streams whose packet table allows it."""

from collections.abc import Iterator, Sequence
from itertools import dropwhile, groupby

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from resources.video.packets import PacketInfo, PacketTable
from resources.video.pictures import Picture, Taken, seconds_between
from resources.video.streams import codec_name, read_on


class Doubt(Exception):
    """The file did not behave as its packet table promised; decode it in order instead."""


def decode_by_seeking(
    container: InputContainer,
    stream: VideoStream,
    table: PacketTable,
    indices: Sequence[int],
    picture: Picture,
) -> dict[int, Taken]:
    """The frames at ``indices``, each recognised by its exact presentation time.

    Raises:
        Doubt: a frame did not appear, or one that is damaged, interlaced or of another size than the header's did.
        FFmpegError: a packet could not be decoded.
    """
    stated = stream.codec_context.width, stream.codec_context.height
    wanted = {table.display_pts[index]: index for index in indices}
    first = table.display_pts[0]
    taken: dict[int, Taken] = {}
    for key, targets in groupby(sorted(wanted), table.key_before):
        for frame in _decode_group(container, stream, key, set(targets)):
            if frame.is_corrupt:
                raise Doubt("a damaged frame")
            if frame.pts in wanted:
                if frame.interlaced_frame:
                    raise Doubt("interlaced pictures")
                if (frame.width, frame.height) != stated:
                    raise Doubt("pictures of another size than the header's")
                time_s = seconds_between(first, frame.pts, stream.time_base)
                taken[wanted[frame.pts]] = picture.take(frame, time_s)
    missing = set(indices) - taken.keys()
    if missing:
        raise Doubt(f"frame {min(missing)} did not appear")
    return taken


def _decode_group(
    container: InputContainer, stream: VideoStream, key: PacketInfo, targets: set[int]
) -> Iterator[VideoFrame]:
    """The frames from the key frame to the last target, without those that nothing needs."""
    container.seek(key.seek_time, stream=stream)
    context = stream.codec_context
    may_skip = codec_name(stream) == "h264"
    remaining = set(targets)
    silent: set[int | None] = set()
    for packet in dropwhile(lambda packet: packet.pts != key.pts, read_on(container, stream)):
        if packet.pts is None:
            continue
        # A picture that no other refers to costs nothing when it is not wanted; all others are decoded.
        context.skip_frame = "NONREF" if may_skip and packet.pts not in targets else "DEFAULT"
        frames = context.decode(packet)
        if not packet.is_discard:
            silent.add(packet.pts)
        remaining.discard(packet.pts)
        if not remaining:
            frames += context.decode(None)
        for frame in frames:
            silent.discard(frame.pts)
            yield frame
        if not remaining:
            break
    if silent and not may_skip:
        raise Doubt(f"{len(silent)} packets gave no frame")
