"""Headers and packet tables, read by FFmpeg and Pillow. Runs inside an isolated worker; see ``probe.py``."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from resources.annotation.clip import Span
from resources.annotation.outcome import ClipError, ErrorKind, undecodable
from resources.video.animations import animation_timing, is_webp
from resources.video.budget import Budget
from resources.video.film import film_of
from resources.video.first_picture import FirstPicture, sample_aspect
from resources.video.images import EXIF_ORIENTATION, EXIF_ROTATIONS, bit_depth, open_image
from resources.video.packets import read_index, read_packets
from resources.video.parts import part_of
from resources.video.pictures import Turn, square_pixel_size
from resources.video.shown_times import Shown, Timing
from resources.video.streams import codec_name, may_begin_anew, open_media, picture_stream, read_on

BUDGET = Budget()


@dataclass(frozen=True, slots=True, kw_only=True)
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
        is_interlaced: whether pictures are woven of two fields; ``None`` for an image.
        start_s, end_s: which part of the file is meant, in seconds from its first frame; ``None`` for all of it.
            The frames, their rate and the duration are those of the part.
    """

    num_frames: int
    height: int
    width: int
    fps: float | None = None
    is_vfr: bool = False
    duration_s: float | None = None
    codec: str
    rotation: int = 0
    bit_depth: int | None
    has_audio: bool = False
    file_size: int
    is_interlaced: bool | None = None
    start_s: float | None = None
    end_s: float | None = None

    @property
    def aspect_ratio(self) -> float:
        """Height / width, as the training columns have it."""
        return self.height / self.width

    @property
    def resolution(self) -> int:
        """Pixels of a frame."""
        return self.height * self.width


def video_headers(path: Path, span: Span | None = None) -> Probe:
    """See :func:`resources.video.probe.probe`."""
    if is_webp(path):
        return _animation_headers(path, span)
    with open_media(path, headers_only=True) as container:
        stream = picture_stream(container, BUDGET)
        first = FirstPicture(stream)
        if span is not None:
            first.seek_in(read_on(container, stream))
            shown, span = film_of(path, BUDGET).cut(span)
        else:
            table = read_index(path, container, stream)
            if table is None:
                table = read_packets(container, stream, BUDGET.max_frames, first)
            else:
                first.seek_in(read_on(container, stream))
            shown = Shown.of(table, stream.time_base, may_begin_anew(container))
        if not shown.times:
            raise ClipError(ErrorKind.NO_VIDEO_STREAM, "the video stream has no packets")
        stored = first.size
        if not all(stored):
            raise undecodable("the headers give no picture size")
        layout = first.frame.format if first.frame else stream.codec_context.format
        turn = (first.frame and Turn.of(first.frame)) or Turn()
        width, height = turn.size(square_pixel_size(*stored, sample_aspect(stream)))
        rates = (stream.average_rate, stream.codec_context.framerate, stream.guessed_rate)
        timing = Timing.of(shown, stream.time_base, rates)
        return Probe(
            num_frames=len(shown.times),
            height=height,
            width=width,
            fps=timing.fps,
            is_vfr=timing.is_vfr,
            duration_s=timing.duration_s,
            codec=codec_name(stream),
            rotation=turn.degrees,
            bit_depth=layout.components[0].bits if layout and layout.components else None,
            has_audio=bool(container.streams.audio),
            file_size=path.stat().st_size,
            is_interlaced=first.frame.interlaced_frame if first.frame else None,
            start_s=span.start if span else None,
            end_s=span.end if span else None,
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
            codec=(image.format or "").lower(),
            rotation=rotation,
            bit_depth=bits,
            file_size=path.stat().st_size,
        )


def _animation_headers(path: Path, span: Span | None) -> Probe:
    with open_image(path, BUDGET) as image:
        width, height = image.size
        times_s = animation_timing(image)
        part = part_of(span, times_s[:-1])
        times_s = times_s[part.start : part.stop + 1]
        duration_s = times_s[-1] - times_s[0]
        steps = [later - earlier for earlier, later in pairwise(times_s)]
        return Probe(
            num_frames=len(steps),
            height=height,
            width=width,
            fps=len(steps) / duration_s if duration_s else None,
            is_vfr=max(steps) - min(steps) > 0.001,
            duration_s=duration_s or None,
            codec=(image.format or "").lower(),
            bit_depth=8,
            file_size=path.stat().st_size,
            is_interlaced=False,
            start_s=times_s[0] if span else None,
            end_s=times_s[-1] if span else None,
        )
