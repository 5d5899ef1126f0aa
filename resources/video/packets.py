"""The packet table of a stream: what can be known of its frames without decoding one.

From it follows whether single frames may be reached by seeking. Containers call many frames "key" from which
a decoder cannot start cleanly (open GOP, intra refresh, recovery points), and seeking to those is how frame
readers silently return wrong pictures; so a stream is seekable only where the bitstream itself says so.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from resources.video.causes import top_boxes
from resources.video.first_picture import FirstPicture, require_clear
from resources.video.nal_units import (
    is_closed_group,
    nal_length_size,
    needs_picture_before,
    starts_cleanly,
    states_orientation,
)
from resources.video.streams import codec_name, decoder_of, read_on

MOV = "mov,mp4,m4a,3gp,3g2,mj2"
MATROSKA = "matroska,webm"
SEEKABLE_CODECS = frozenset({"h264", "hevc", "vp9", "av1"})
# Decoders of these show nothing that lies before the first key frame, in the file or (open groups) in time.
WAIT_FOR_KEY = frozenset({"h264", "hevc"})
# Decoders of these drop the B pictures right after the first key frame, unless it closes its group.
DROP_LEADING = frozenset({"mpeg1video", "mpeg2video", "mpeg4"})


class PacketInfo(NamedTuple):
    """One packet: its times in ``time_base`` units, and whether it is decoded for others only (edit list).

    ``duration`` is 0 where the container does not say.
    """

    pts: int | None
    dts: int | None
    is_key: bool
    is_hidden: bool
    duration: int = 0

    @property
    def seek_time(self) -> int:
        """Where to seek to if it is to be the next packet."""
        return (self.pts if self.dts is None else self.dts) or 0


@dataclass(frozen=True)
class PacketTable:
    """Every packet of a stream in file order, and what is suspicious about them.

    ``promised`` is the frame count in the container's header, 0 for none; ``unclean_keys`` counts flagged
    key frames from which decoding cannot start; ``error`` is what stopped the reading before the end;
    ``turned_once``: how pictures are turned is stated with the first of them only.
    """

    packets: Sequence[PacketInfo]
    promised: int = 0
    corrupt: int = 0
    unclean_keys: int = 0
    error: str | None = None
    turned_once: bool = False

    @cached_property
    def shown(self) -> list[PacketInfo]:
        """The packets that become frames a viewer sees, as far as packets can tell."""
        return [packet for packet in self.packets if not packet.is_hidden]

    @cached_property
    def display_pts(self) -> list[int]:
        """Presentation times in display order; the index of a frame is its place in here."""
        return sorted(packet.pts for packet in self.shown if packet.pts is not None)

    @cached_property
    def keys(self) -> list[PacketInfo]:
        """The packets flagged as key frames."""
        return [packet for packet in self.packets if packet.is_key]

    def why_not_seekable(self) -> str | None:
        """``None`` where any frame can be reached from the key frame before it, else why not."""
        if self.error or self.corrupt:
            return "damaged packets"
        times = {packet.pts for packet in self.packets}
        if None in times:
            return "packets without a time"
        if len(times) != len(self.packets):
            return "two packets of one time"
        if not self.packets[0].is_key:
            return "no key frame at the start"
        if self.unclean_keys:
            return "key frames that need earlier ones"
        if self.turned_once:
            return "an orientation that is stated once"
        if not self.shown:
            return "no packet is shown"
        if not self._groups_are_closed():
            return "frames shown before the key frame they follow"
        return None

    def _groups_are_closed(self) -> bool:
        """Is every frame shown after the key frame before it in the file, and before the next one?"""
        groups = accumulate(packet.is_key for packet in self.packets)
        shown = sorted(zip(self.packets, groups, strict=True), key=lambda each: each[0].pts or 0)
        places = [(group, not packet.is_key) for packet, group in shown]
        return places == sorted(places)

    def key_before(self, pts: int) -> PacketInfo:
        """The key frame from which the frame at ``pts`` is decoded."""
        return self.keys[bisect_right(self.keys, pts, key=attrgetter("pts")) - 1]

    def warnings(self) -> list[str]:
        """Signs of damage, as sentences."""
        found = []
        if self.promised > len(self.packets):
            found.append(f"the header promises {self.promised} frames, the file holds {len(self.packets)}")
        if self.corrupt:
            found.append(f"{self.corrupt} packets are damaged")
        if self.error:
            found.append(f"the packets end early: {self.error}")
        return found


def may_seek(container: InputContainer, stream: VideoStream, table: PacketTable) -> str | None:
    """``None`` where frames of this stream may be reached by seeking, else the reason why not."""
    if container.format.name not in (MOV, MATROSKA):
        return f"container {container.format.name}"
    if codec_name(stream) not in SEEKABLE_CODECS:
        return f"codec {codec_name(stream)}"
    if decoder_of(stream) is not stream.codec_context:
        return "transparency"
    return table.why_not_seekable()


def read_packets(
    container: InputContainer, stream: VideoStream, max_frames: int, first: FirstPicture | None = None
) -> PacketTable:
    """Read the packets of ``stream`` to the end of the file, at most ``max_frames`` + 1 of them.

    They are offered to ``first`` on the way.

    Raises:
        ClipError: ``decode_error``: the packets are encrypted.
    """
    codec = codec_name(stream)
    length_size = nal_length_size(codec, stream.codec_context.extradata)
    packets: list[PacketInfo] = []
    corrupt = unclean_keys = 0
    turned_once = False
    error = None
    waiting = codec in WAIT_FOR_KEY
    shown_from: int | None = None
    leading: bool | None = None if codec in DROP_LEADING else False
    try:
        for packet in read_on(container, stream):
            if packet.size == 0 and packet.pts is None:
                continue
            require_clear(packet)
            if first:
                first.offer(packet)
            if not packets:
                turned_once = states_orientation(bytes(packet), codec, length_size)
            if packet.is_keyframe:
                is_clean = starts_cleanly(bytes(packet), codec, length_size)
                unclean_keys += not is_clean
                if waiting and not is_clean:
                    shown_from = packet.pts
                waiting = False
            # Before the open group that starts the file; some containers lose such a time.
            is_cut_off = shown_from is not None and (packet.pts is None or packet.pts < shown_from)
            is_hidden = waiting or packet.is_discard or is_cut_off
            if codec == "vp8":
                is_hidden |= not _vp8_is_shown(packet)
            if leading is None:
                if packet.is_keyframe:
                    leading = not is_closed_group(bytes(packet))
            elif leading:
                leading = needs_picture_before(bytes(packet), codec)
                is_hidden |= leading
            duration = packet.duration or 0
            packets.append(PacketInfo(packet.pts, packet.dts, packet.is_keyframe, is_hidden, duration))
            corrupt += packet.is_corrupt
            if len(packets) > max_frames:
                break
    except FFmpegError as failure:
        error = failure.strerror
    return PacketTable(
        packets, _promised(container, stream, packets), corrupt, unclean_keys, error, turned_once
    )


def read_index(path: Path, container: InputContainer, stream: VideoStream) -> PacketTable | None:
    """The packet table by the index in an mp4 header: no packet is read, no key frame is checked.

    Presentation times are unknown, packets beyond the end of the file are left out. ``None`` where the
    header does not list every packet (fragments), the container is another, or packets must be looked into.
    """
    if container.format.name != MOV or not stream.frames or codec_name(stream) in DROP_LEADING:
        return None
    if any(kind == b"moof" for kind, _, _ in top_boxes(path)):
        return None
    size = path.stat().st_size
    packets: list[PacketInfo] = []
    key_seen = codec_name(stream) not in WAIT_FOR_KEY
    for entry in stream.index_entries:
        if entry.pos + entry.size > size:
            continue
        key_seen = key_seen or entry.is_keyframe
        is_hidden = entry.is_discard or not key_seen
        packets.append(PacketInfo(None, entry.timestamp, entry.is_keyframe, is_hidden))
    times = [packet.dts for packet in packets if not packet.is_hidden and packet.dts is not None]
    if len(packets) == stream.frames and stream.duration and times:
        # The header gives the length of the track, and so that of the last frame.
        packets[-1] = packets[-1]._replace(duration=max(0, stream.duration - times[-1] + times[0]))
    return PacketTable(packets, stream.frames)


def _promised(container: InputContainer, stream: VideoStream, packets: Sequence[PacketInfo]) -> int:
    """The frames that the header promises. AVI's counts the ticks in which nothing new is shown, too."""
    times = [packet.dts for packet in packets if packet.dts is not None]
    if container.format.name == "avi" and times:
        longest = max((later - earlier for earlier, later in pairwise(times)), default=1)
        if times[-1] + longest >= stream.frames:
            return len(packets)
    return stream.frames


def _vp8_is_shown(packet: Packet) -> bool:
    """The show_frame bit of RFC 6386, 9.1; alternate reference frames are packets of their own."""
    data = memoryview(packet)
    return len(data) > 0 and bool(data[0] >> 4 & 1)
