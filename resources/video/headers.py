"""Headers and packet tables, read by FFmpeg and Pillow. Runs inside an isolated worker; see ``probe.py``."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

from av.container import InputContainer
from av.video.stream import VideoStream

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.h264_header import read_h264_format
from resources.video.images import EXIF_ORIENTATION, EXIF_ROTATIONS, bit_depth, open_image
from resources.video.packets import read_index, read_packets
from resources.video.pictures import square_pixel_size
from resources.video.streams import (
    Budget,
    codec_name,
    header_rotation,
    open_media,
    picture_stream,
    sample_aspect,
)

BUDGET = Budget()
# A frame interval counts as odd when it differs from the usual one by this share, and by more than one tick.
ODD_INTERVAL = 0.1
VARIABLE_SHARE = 0.01
# A rate in the header is believed, for its exact fraction, when the frames' times agree this well.
SAME_RATE = 0.003


@dataclass(frozen=True, slots=True)
class Probe:
    """The headers of one file.

    Attributes:
        num_frames: frames that the packets of the file hold and its edit list shows; 1 for an image.
        height, width: pixels as displayed (square samples, rotation applied).
        fps: average frames a second; ``None`` for an image or a single frame of unknown duration.
        is_vfr: whether the time between frames varies.
        duration_s: seconds from the first frame shown to the end of the last.
        codec: FFmpeg's name of the coding format (``h264``, ``av1``), or Pillow's (``jpeg``, ``png``).
        rotation: degrees by which the stored picture is turned counter-clockwise for display.
        bit_depth: bits of one luma or colour sample; ``None`` where the headers do not say.
        file_size: bytes.
    """

    num_frames: int
    height: int
    width: int
    fps: float | None
    is_vfr: bool
    duration_s: float | None
    codec: str
    rotation: int
    bit_depth: int | None
    has_audio: bool
    file_size: int

    @property
    def aspect_ratio(self) -> float:
        """Height / width, as the training columns have it."""
        return self.height / self.width

    @property
    def resolution(self) -> int:
        """Pixels of a frame."""
        return self.height * self.width


def video_headers(path: Path) -> Probe:
    """See :func:`resources.video.probe.probe`."""
    with open_media(path, headers_only=True) as container:
        stream = picture_stream(container, BUDGET)
        times = shown_times(path, container, stream)
        if not times:
            raise ClipError(ErrorKind.NO_VIDEO_STREAM, "the video stream has no packets")
        context = stream.codec_context
        if not context.width or not context.height:
            raise ClipError(ErrorKind.DECODE_ERROR, "the headers give no picture size")
        width, height = square_pixel_size(context.width, context.height, sample_aspect(stream))
        rotation = header_rotation(container) or 0
        if rotation in (90, 270):
            width, height = height, width
        rates = (stream.average_rate, context.framerate, stream.guessed_rate)
        timing = Timing.of(times, stream.time_base, rates)
        return Probe(
            num_frames=len(times),
            height=height,
            width=width,
            fps=timing.fps,
            is_vfr=timing.is_vfr,
            duration_s=timing.duration_s,
            codec=codec_name(stream),
            rotation=rotation,
            bit_depth=_bit_depth(stream),
            has_audio=bool(container.streams.audio),
            file_size=path.stat().st_size,
        )


def image_headers(path: Path) -> Probe:
    """See :func:`resources.video.probe.probe`."""
    with open_image(path, BUDGET) as image:
        bits = bit_depth(image)  # before anything loads the picture, which forgets how it was stored
        width, height = image.size
        rotation = EXIF_ROTATIONS.get(image.getexif().get(EXIF_ORIENTATION, 1), 0)
        # Pillow gives the size of a TIFF as displayed.
        if rotation in (90, 270) and image.format != "TIFF":
            width, height = height, width
        return Probe(
            num_frames=1,
            height=height,
            width=width,
            fps=None,
            is_vfr=False,
            duration_s=None,
            codec=(image.format or "").lower(),
            rotation=rotation,
            bit_depth=bits,
            has_audio=False,
            file_size=path.stat().st_size,
        )


def shown_times(path: Path, container: InputContainer, stream: VideoStream) -> list[int | None]:
    """One time for each frame shown, in ``time_base`` units, ascending where the container has times."""
    table = read_index(path, container, stream) or read_packets(container, stream, BUDGET.max_frames)
    if len(table.display_pts) == len(table.shown):
        return list(table.display_pts)
    decoding_times = [packet.dts for packet in table.shown]
    known = sorted(time for time in decoding_times if time is not None)
    return decoding_times if len(known) < len(decoding_times) else list(known)


@dataclass(frozen=True, slots=True)
class Timing:
    """The average frame rate (1/s), whether it varies, and the length in seconds; ``None`` if unknown."""

    fps: float | None
    is_vfr: bool
    duration_s: float | None

    @classmethod
    def of(
        cls, times: Sequence[int | None], time_base: Fraction | None, header_rates: Sequence[Fraction | None]
    ) -> "Timing":
        """From the frames' times; by the first rate in the header where there are none, or but one."""
        known = [time for time in times if time is not None]
        steps = [later - earlier for earlier, later in pairwise(known) if later > earlier]
        if time_base is None or len(known) < len(times) or not steps:
            rate = next((float(rate) for rate in header_rates if rate), None)
            return cls(rate, False, len(times) / rate if rate else None)
        usual = median(steps)
        odd = sum(abs(step - usual) > max(1, ODD_INTERVAL * usual) for step in steps)
        is_vfr = odd > VARIABLE_SHARE * len(steps)
        duration_s = float((known[-1] - known[0] + Fraction(usual)) * time_base)
        fps = len(times) / duration_s
        if not is_vfr:
            fps = next(
                (float(rate) for rate in header_rates if rate and abs(fps / rate - 1) < SAME_RATE), fps
            )
        return cls(fps, is_vfr, duration_s)


def _bit_depth(stream: VideoStream) -> int | None:
    if codec_name(stream) == "h264":
        stated = read_h264_format(stream.codec_context.extradata)
        return stated.bit_depth if stated else None
    layout = stream.codec_context.format
    return layout.components[0].bits if layout and layout.components else None
