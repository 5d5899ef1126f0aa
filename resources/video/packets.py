"""The packet table of a stream: what can be known of its frames without decoding one.

From it follows whether single frames may be reached by seeking. Containers call many frames "key" from which
a decoder cannot start cleanly (open GOP, intra refresh, recovery points), and seeking to those is how frame
readers silently return wrong pictures; so a stream is seekable only where the bitstream itself says so.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

SEEKABLE_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
SEEKABLE_CODECS = frozenset({"h264", "hevc", "vp9", "av1"})
H264_SLICES = range(1, 6)
H264_IDR = 5
HEVC_SLICES = range(0, 32)
HEVC_IDR = range(19, 21)


@dataclass(frozen=True)
class PacketTable:
    """Every packet of a stream in file order.

    ``pts`` are presentation times in ``time_base`` units, ``None`` where the container has none. ``keys``
    are the positions of packets flagged as key frames; ``discarded`` counts those that an edit list hides.
    ``promised`` is the count that the container's header gives, 0 for none.
    ``unclean_keys`` counts flagged key frames from which decoding cannot start; ``error`` is what stopped
    the reading before the end.
    """

    pts: Sequence[int | None]
    dts: Sequence[int | None]
    keys: Sequence[int]
    promised: int = 0
    discarded: int = 0
    corrupt: int = 0
    unclean_keys: int = 0
    error: str | None = None

    @property
    def shown(self) -> int:
        """How many frames the packets promise."""
        return len(self.pts) - self.discarded

    @cached_property
    def display_pts(self) -> list[int]:
        """Presentation times in display order; the index of a frame is its place in here."""
        return sorted(pts for pts in self.pts if pts is not None)

    @cached_property
    def key_pts(self) -> list[int]:
        """Presentation times of the key frames, in file order."""
        return [pts for pts in (self.pts[key] for key in self.keys) if pts is not None]

    def why_not_seekable(self) -> str | None:
        """``None`` where any frame can be reached from the key frame before it, else why not."""
        if self.error or self.corrupt:
            return "damaged packets"
        if self.discarded:
            return "an edit list"
        if any(pts is None for pts in self.pts):
            return "packets without a time"
        if len(set(self.pts)) != len(self.pts):
            return "two packets of one time"
        if not self.keys or self.keys[0] != 0:
            return "no key frame at the start"
        if self.unclean_keys:
            return "key frames that need earlier ones"
        if not self._groups_are_closed():
            return "frames shown before the key frame they follow"
        return None

    def _groups_are_closed(self) -> bool:
        latest = None
        for start, end in zip(self.keys, [*self.keys[1:], len(self.pts)], strict=True):
            group = [pts for pts in self.pts[start:end] if pts is not None]
            if min(group) != group[0] or (latest is not None and group[0] <= latest):
                return False
            latest = max(group)
        return True

    def key_before(self, pts: int) -> int:
        """Presentation time of the key frame from which the frame at ``pts`` is decoded."""
        return self.key_pts[bisect_right(self.key_pts, pts) - 1]

    def seek_time(self, key_pts: int) -> int:
        """Where to seek to, to read on from the key frame shown at ``key_pts``."""
        dts = self.dts[self.keys[bisect_right(self.key_pts, key_pts) - 1]]
        return key_pts if dts is None else dts

    def warnings(self) -> list[str]:
        """Signs of damage, as sentences."""
        found = []
        if self.promised > len(self.pts):
            found.append(f"the header promises {self.promised} frames, the file holds {len(self.pts)}")
        if self.corrupt:
            found.append(f"{self.corrupt} packets are damaged")
        if self.error:
            found.append(f"the packets end early: {self.error}")
        return found


@dataclass
class _Reading:
    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    discarded: int = 0
    corrupt: int = 0
    unclean_keys: int = 0
    error: str | None = None


def read_packets(container: InputContainer, stream: VideoStream, max_frames: int) -> PacketTable:
    """Read the packets of ``stream`` to the end of the file, at most ``max_frames`` + 1 of them."""
    reading = _Reading()
    codec = stream.codec_context.name
    nal_prefix = _nal_length_size(codec, stream.codec_context.extradata)
    try:
        for packet in container.demux(stream):
            if packet.size == 0 and packet.pts is None:
                continue
            if packet.is_keyframe:
                reading.keys.append(len(reading.pts))
                reading.unclean_keys += not _starts_cleanly(packet, codec, nal_prefix)
            reading.pts.append(packet.pts)
            reading.dts.append(packet.dts)
            reading.discarded += packet.is_discard
            reading.corrupt += packet.is_corrupt
            if len(reading.pts) > max_frames:
                break
    except FFmpegError as error:
        reading.error = error.strerror
    return PacketTable(**vars(reading), promised=stream.frames)


def may_seek(container: InputContainer, stream: VideoStream, table: PacketTable) -> str | None:
    """``None`` where frames of this stream may be reached by seeking, else the reason why not."""
    if container.format.name not in SEEKABLE_FORMATS:
        return f"container {container.format.name}"
    if stream.codec_context.name not in SEEKABLE_CODECS:
        return f"codec {stream.codec_context.name}"
    return table.why_not_seekable()


def _starts_cleanly(packet: Packet, codec: str, length_size: int) -> bool:
    """Does the bitstream say that nothing before this packet is needed (an IDR picture)?"""
    if codec not in ("h264", "hevc"):
        return True
    data = memoryview(packet)
    slices, clean = (H264_SLICES, (H264_IDR,)) if codec == "h264" else (HEVC_SLICES, HEVC_IDR)
    for start in _nal_starts(data, length_size):
        kind = data[start] & 0x1F if codec == "h264" else data[start] >> 1 & 0x3F
        if kind in slices:
            return kind in clean
    return False


def _nal_length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length before each NAL unit (avcC, hvcC), or 0 where start codes separate them."""
    if not extradata or extradata[0] != 1:
        return 0
    position = 4 if codec == "h264" else 21
    return (extradata[position] & 3) + 1 if len(extradata) > position else 0


def _nal_starts(data: memoryview, length_size: int) -> list[int]:
    starts: list[int] = []
    if length_size:
        position = 0
        while position + length_size < len(data):
            starts.append(position + length_size)
            position += length_size + int.from_bytes(data[position : position + length_size])
        return starts
    raw = bytes(data)
    position = raw.find(b"\0\0\1")
    while 0 <= position < len(raw) - 3:
        starts.append(position + 3)
        position = raw.find(b"\0\0\1", position + 3)
    return starts
