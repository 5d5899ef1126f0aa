"""One pass over a file in display order, past every error, counting what comes out."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from resources.video.budget import Budget
from resources.video.deinterlacing import deinterlace, with_neighbours
from resources.video.pictures import Picture, PictureShape, Taken, seconds_between
from resources.video.shown_times import Clock
from resources.video.streams import decoder_of, may_begin_anew, open_media, picture_stream, read_on


@dataclass
class Damage:
    """What went wrong on the way, though frames came out."""

    undecodable_packets: int = 0
    corrupt_frames: int = 0
    stopped: str | None = None

    def warnings(self) -> list[str]:
        """Signs of damage, as sentences."""
        found = []
        if self.undecodable_packets:
            found.append(f"{self.undecodable_packets} packets could not be decoded")
        if self.corrupt_frames:
            found.append(f"{self.corrupt_frames} frames are damaged")
        if self.stopped:
            found.append(f"reading stopped before the end: {self.stopped}")
        return found


@dataclass
class Pass:
    """The outcome of one pass: when each frame is shown, and those that were wanted, by index;
    ``deinterlaced``: some were woven of two fields, and were taken apart."""

    times_s: list[float | None] = field(default_factory=list)
    taken: dict[int, Taken] = field(default_factory=dict)
    damage: Damage = field(default_factory=Damage)
    deinterlaced: bool = False


def decode_in_order(path: Path, wanted: Collection[int], shape: PictureShape) -> Pass:
    """Decode the whole file and keep the frames whose index is in ``wanted``.

    Raises:
        ClipError: ``missing_file``, ``no_video_stream``, or ``decode_error``: unreadable, or over the budget.
    """
    result = Pass()
    with open_media(path) as container:
        stream = picture_stream(container, shape.budget)
        picture = Picture(shape, stream, len(wanted))
        clock = Clock(stream.time_base, may_begin_anew(container))
        first: int | None = None
        frames = shown_frames(read_on(container, stream), decoder_of(stream), shape.budget, result.damage)
        for index, (before, frame, after) in enumerate(with_neighbours(frames)):
            time = clock.tick(frame.pts, frame.duration)
            if index == 0:
                first = time
                picture.see(frame)
            result.times_s.append(seconds_between(first, time, stream.time_base))
            if index in wanted:
                if frame.interlaced_frame:
                    result.deinterlaced = True
                    frame = deinterlace(before, frame, after)
                result.taken[index] = picture.take(frame, result.times_s[-1])
    return result


def shown_frames(
    packets: Iterator[Packet], decoder: VideoCodecContext, budget: Budget, damage: Damage
) -> Iterator[VideoFrame]:
    """Every frame that decodes, in display order; what does not is counted in ``damage``."""
    count = 0
    for packet in _until_error(packets, damage):
        for frame in _decode(packet, decoder, damage):
            count += 1
            if count > budget.max_frames:
                raise budget.too_many_frames()
            budget.check_size(frame.width, frame.height)
            damage.corrupt_frames += frame.is_corrupt
            yield frame


def _until_error(packets: Iterator[Packet], damage: Damage) -> Iterator[Packet | None]:
    """The packets, then ``None`` to ask the decoder for what it still holds."""
    try:
        yield from packets
    except FFmpegError as error:
        damage.stopped = error.strerror
        yield None


def _decode(packet: Packet | None, decoder: VideoCodecContext, damage: Damage) -> list[VideoFrame]:
    try:
        return decoder.decode(packet)
    except FFmpegError:
        damage.undecodable_packets += 1
        return []
