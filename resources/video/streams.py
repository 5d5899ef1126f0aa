"""Opening a media file safely and choosing its picture stream. Runs inside an isolated worker."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from resources.annotation.outcome import ClipError, ErrorKind, undecodable
from resources.video.budget import Budget
from resources.video.causes import why_unreadable

# Streams beside the one that is shown.
_BESIDE = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
_PICTURE_CODECS = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpeg2000"})
_ENOUGH_TO_MOVE = 5
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# AVFMT_TS_DISCONT of libavformat.
_DISCONTINUOUS = 0x0200
UNREADABLE = "FFmpeg cannot read the file"
_FILE_TYPES = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
INDIRECT_FORMATS = frozenset({"concat", "hls", "dash", "sdp", "imf", "rtsp", "tty"})


def require_regular_file(path: Path) -> os.stat_result:
    """The stat of a readable, non-empty regular file; links are followed. Nothing else is ever opened.

    Raises:
        ClipError: ``missing_file`` (absent, unreadable, a link to itself) or ``decode_error`` (a FIFO,
            socket, device or directory, whose opening could block for ever; an empty file).
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            kind = _FILE_TYPES.get(stat.S_IFMT(info.st_mode), "a special file")
            raise undecodable(f"{kind}, not a regular file")
        if not os.access(path, os.R_OK):
            raise ClipError(ErrorKind.MISSING_FILE, "no permission to read the file")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if "\\x" in str(path):
            reason += " (a file whose name is not UTF-8 has to be renamed)"
        raise ClipError(ErrorKind.MISSING_FILE, f"the file cannot be opened: {reason}") from None
    if info.st_size == 0:
        raise undecodable("the file is empty")
    return info


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
    opened = False
    options = {"protocol_whitelist": "file"}
    if headers_only:
        options["skip_frame"] = "all"
    try:
        with av.open(str(path.absolute()), options=options, metadata_errors="replace") as container:
            if container.format.name in INDIRECT_FORMATS:
                raise undecodable(f"a {container.format.name} playlist, not a video")
            opened = True
            yield container
    except FFmpegError as error:
        cause = None if opened else why_unreadable(path)
        message = cause or f"{UNREADABLE}: {error.strerror}"
        raise undecodable(message) from None
    except (ValueError, OverflowError) as error:
        raise undecodable(f"the headers make no sense: {error}") from None


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
    """The stream that players show: no cover art, no track of thumbnails beside a video; the largest of what is left.

    It is decoded by one thread, every frame.

    Raises:
        ClipError: ``no_video_stream``, or ``decode_error`` for a size over the budget or an unknown codec.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _BESIDE]
    if not streams:
        raise ClipError(ErrorKind.NO_VIDEO_STREAM, _what_is_there(container))
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise undecodable("FFmpeg has no decoder for the video stream")
    stream = max(decodable, key=_prominence)
    context = stream.codec_context
    budget.check_size(context.width, context.height)
    context.thread_count = 1
    context.thread_type = "NONE"
    context.skip_frame = "DEFAULT"
    return stream


def _prominence(stream: VideoStream) -> tuple[bool, int, bool, int]:
    """Moving before single pictures, the default track before others, the larger before the smaller."""
    context = stream.codec_context
    return (
        codec_name(stream) not in _PICTURE_CODECS,
        min(stream.frames or _ENOUGH_TO_MOVE, _ENOUGH_TO_MOVE),
        bool(stream.disposition & av.stream.Disposition.default),
        context.width * context.height,
    )


def _what_is_there(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    if kinds == ["audio", "video"]:
        return "no video stream, only audio with cover art"
    return f"no video stream, only {', '.join(kinds)}" if kinds else "no stream at all"


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """What decodes the stream. VP8 and VP9 with transparency need libvpx: FFmpeg's own decoders leave it out."""
    alpha_decoder = _ALPHA_DECODERS.get(codec_name(stream))
    if alpha_decoder is None or stream.metadata.get("alpha_mode") != "1":
        return stream.codec_context
    context = cast("VideoCodecContext", av.CodecContext.create(alpha_decoder, "r"))
    context.extradata = stream.codec_context.extradata
    context.thread_count = 1
    return context


def codec_name(stream: VideoStream) -> str:
    """The coding format (``av1``), whichever decoder reads it (``libdav1d``)."""
    return stream.codec_context.codec.canonical_name


def may_begin_anew(container: InputContainer) -> bool:
    """May the times of this kind of file begin anew on the way, as in transport streams that were joined?"""
    return bool(container.format.flags & _DISCONTINUOUS)
