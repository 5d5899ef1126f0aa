"""decord, for those who named it: only on streams of a kind where it is right, read in order, and checked.

Seeking in decord silently returns wrong frames on many ordinary files; reading in order with ``next()`` does
not. It can hang with the interpreter lock held, so it must run in an isolated worker.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from resources.video.first_picture import FirstPicture, sample_aspect
from resources.video.packets import PacketTable
from resources.video.pictures import Picture, Taken, Turn, seconds_between
from resources.video.seeking import Doubt
from resources.video.streams import codec_name, read_on

MOST_IN_ORDER = 1000
EIGHT_BIT_PROFILES = frozenset({"Baseline", "Constrained Baseline", "Main", "High"})


def decode_with_decord(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    table: PacketTable,
    indices: Sequence[int],
    picture: Picture,
) -> dict[int, Taken]:
    """The frames at ``indices`` of a seekable stream, read in order.

    Raises:
        Doubt: decord is not trusted with such a stream, or it gave another number of frames than the packet table
            has, another time than a frame must have, or one picture at two indices.
    """
    _require_plain(container, stream, table)
    try:
        import decord
    except ImportError:
        raise Doubt("decord is not installed") from None
    decord.logging.set_level(decord.logging.QUIET)
    frame_s = float(1 / stream.average_rate) if stream.average_rate else 1.0
    taken: dict[int, Taken] = {}
    try:
        reader = decord.VideoReader(str(path.absolute()), num_threads=1)
        if len(reader) != len(table.shown):
            raise Doubt(f"decord counts {len(reader)} frames, the container has {len(table.shown)}")
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
        for index in range(max(indices) + 1):
            pixels = reader.next()
            if index not in indices:
                continue
            time_s = seconds_between(table.display_pts[0], table.display_pts[index], stream.time_base)
            if time_s is None or abs(starts[index] - starts[0] - time_s) > frame_s / 2:
                raise Doubt(f"decord shows frame {index} at another time than the container")
            frame = VideoFrame.from_ndarray(pixels.asnumpy(), format="rgb24")
            taken[index] = picture.take(frame, time_s)
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        raise Doubt(f"decord failed: {str(error).partition(chr(10))[0] or type(error).__name__}") from None
    for earlier, later in pairwise(sorted(taken)):
        if np.array_equal(taken[earlier].pixels, taken[later].pixels):
            raise Doubt(f"decord gave one picture for frames {earlier} and {later}")
    return taken


def _require_plain(container: InputContainer, stream: VideoStream, table: PacketTable) -> None:
    """Raise Doubt of a stream that is not plain enough for decord: upright 8-bit H.264, square pixels."""
    if codec_name(stream) != "h264" or stream.profile not in EIGHT_BIT_PROFILES:
        raise Doubt(f"decord is not trusted with {codec_name(stream)} {stream.profile or ''}".rstrip())
    if len(table.shown) > MOST_IN_ORDER:
        raise Doubt(f"decord is used in order only, which {len(table.shown)} frames are too long for")
    if len(table.shown) != len(table.packets):
        raise Doubt("decord ignores edit lists")
    container.seek(table.packets[0].seek_time, stream=stream)
    first = FirstPicture(stream)
    first.seek_in(read_on(container, stream))
    stream.codec_context.flush_buffers()
    if first.frame is None or Turn.of(first.frame):
        raise Doubt("decord is not trusted with a display matrix")
    if first.frame.interlaced_frame:
        raise Doubt("decord does not deinterlace")
    if sample_aspect(stream) not in (None, 1):
        raise Doubt("decord ignores the sample aspect ratio")
