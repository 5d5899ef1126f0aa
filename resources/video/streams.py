"""Opening a media file safely and choosing its picture stream. Runs inside an isolated worker."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.h264_header import read_h264_format

INDIRECT_FORMATS = frozenset({"concat", "hls", "dash", "sdp", "imf", "rtsp", "tty"})


@dataclass(frozen=True, slots=True)
class Budget:
    """What one clip may cost. A clip over it is a ``decode_error``, told from its headers before decoding.

    ``max_pixels`` of one picture; ``max_frames`` decoded in one pass; ``max_bytes`` of pixels handed back.
    """

    max_pixels: int = 64_000_000
    max_frames: int = 500_000
    max_bytes: int = 2 * 1024**3

    def too_many_frames(self) -> ClipError:
        """The error of a clip with more frames than ``max_frames``."""
        return ClipError(ErrorKind.DECODE_ERROR, f"more than the budget of {self.max_frames:,} frames")

    def check_size(self, width: int, height: int) -> None:
        """Raise the ``decode_error`` of a picture that is too large."""
        if width * height > self.max_pixels:
            raise ClipError(
                ErrorKind.DECODE_ERROR,
                f"pictures of {width}x{height} are over the budget of {self.max_pixels:,} pixels",
            )

    def check_bytes(self, frames: int, width: int, height: int, channels: int) -> None:
        """Raise the ``decode_error`` of more pixels than can be handed back."""
        needed = frames * width * height * channels
        if needed > self.max_bytes:
            raise ClipError(
                ErrorKind.DECODE_ERROR,
                f"{frames} frames of {width}x{height} are over the budget of {self.max_bytes:,} bytes",
            )


def require_regular_file(path: Path) -> os.stat_result:
    """The stat of a readable, non-empty regular file; links are followed. Nothing else is ever opened.

    Raises:
        ClipError: ``missing_file`` (absent, unreadable, a link to itself) or ``decode_error`` (a FIFO,
            socket, device or directory, whose opening could block for ever; an empty file).
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise ClipError(ErrorKind.DECODE_ERROR, f"{_file_type(info.st_mode)}, not a regular file")
        if not os.access(path, os.R_OK):
            raise ClipError(ErrorKind.MISSING_FILE, "no permission to read the file")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if "\\x" in str(path):
            reason += " (a file whose name is not UTF-8 has to be renamed)"
        raise ClipError(ErrorKind.MISSING_FILE, f"the file cannot be opened: {reason}") from None
    if info.st_size == 0:
        raise ClipError(ErrorKind.DECODE_ERROR, "the file is empty")
    return info


def _file_type(mode: int) -> str:
    names = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    return names.get(stat.S_IFMT(mode), "a special file")


@contextmanager
def open_media(path: Path, *, headers_only: bool = False) -> Iterator[InputContainer]:
    """A container opened for reading, local files only.

    ``headers_only`` keeps FFmpeg from decoding pictures to guess what the headers already say (some
    fifteen times faster); the pixel format may then be unknown.

    Raises:
        ClipError: ``missing_file`` or ``decode_error``; FFmpeg's own errors inside the block become
            ``decode_error`` as well.
    """
    require_regular_file(path)
    options = {"protocol_whitelist": "file"}
    if headers_only:
        options["skip_frame"] = "all"
    try:
        with av.open(str(path.absolute()), options=options, metadata_errors="replace") as container:
            if container.format.name in INDIRECT_FORMATS:
                raise ClipError(ErrorKind.DECODE_ERROR, f"a {container.format.name} playlist, not a video")
            yield container
    except FFmpegError as error:
        raise ClipError(ErrorKind.DECODE_ERROR, f"FFmpeg cannot read the file: {error.strerror}") from None
    except (ValueError, OverflowError) as error:
        raise ClipError(ErrorKind.DECODE_ERROR, f"the headers make no sense: {error}") from None


def read_on(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The packets of ``stream`` from where the container stands, and an empty one to drain the decoder.

    Packets of streams that damage conjures up after the header are passed over; PyAV raises on each.
    """
    while True:
        try:
            yield from container.demux(stream)
        except IndexError:
            continue
        return


def picture_stream(container: InputContainer, budget: Budget) -> VideoStream:
    """The largest video stream that is not cover art; single-threaded, decoding every frame.

    Raises:
        ClipError: ``no_video_stream``, or ``decode_error`` for a size over the budget or an unknown codec.
    """
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise ClipError(ErrorKind.NO_VIDEO_STREAM, _what_is_there(container))
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise ClipError(ErrorKind.DECODE_ERROR, "FFmpeg has no decoder for the video stream")
    stream = max(decodable, key=lambda s: s.codec_context.width * s.codec_context.height)
    context = stream.codec_context
    budget.check_size(context.width, context.height)
    context.thread_count = 1
    context.thread_type = "NONE"
    context.skip_frame = "DEFAULT"
    return stream


def _what_is_there(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    return f"no video stream, only {', '.join(kinds)}" if kinds else "no stream at all"


def sample_aspect(stream: VideoStream) -> Fraction | None:
    """Width by height of a sample: the container's word before the bitstream's; ``None`` if neither says."""
    if stream.sample_aspect_ratio:
        return stream.sample_aspect_ratio
    if codec_name(stream) == "h264":
        stated = read_h264_format(stream.codec_context.extradata)
        return stated.sample_aspect if stated else None
    return None


def codec_name(stream: VideoStream) -> str:
    """The coding format (``av1``), whichever decoder reads it (``libdav1d``)."""
    return stream.codec_context.codec.canonical_name


def header_rotation(container: InputContainer) -> int | None:
    """Degrees by which players turn the picture counter-clockwise, from the headers: 0, 90, 180 or 270.

    ``None`` where there is no display matrix; a matrix that only mirrors counts as 0 or 180.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        description = container.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
    match = re.search(r"rotation of (-?\d+(?:\.\d+)?) degrees", description)
    return round(float(match[1]) / 90) * 90 % 360 if match else None
