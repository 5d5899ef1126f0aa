"""Clips that are parts of videos, as files of their own: what trains on a file sees the part alone."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.clip import Kind, Span

if TYPE_CHECKING:
    from resources.video import FrameReader

SUFFIX = ".mp4"
_FRAMES_AT_ONCE = 32
_TIME_BASE = Fraction(1, 90_000)


def cut(source: Path, span: Span, target: Path, frames: "FrameReader") -> None:
    """Write the frames of a part as H.264, each at its time, as displayed and without sound.

    Raises:
        ClipError: the part cannot be read.
    """
    import av

    from resources.video import FrameRule, RuleKind
    from resources.video.film import part_times

    first, times_s = frames.workers.call(part_times, source, span)
    every = FrameRule(RuleKind.LINSPACE, _FRAMES_AT_ONCE)
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(target), "w", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"crf": "16", "preset": "veryfast"})
        stream.codec_context.time_base = _TIME_BASE
        for start in range(0, len(times_s), _FRAMES_AT_ONCE):
            end = min(start + _FRAMES_AT_ONCE, len(times_s))
            some = Span(first + start, first + end, in_frames=True)
            images = frames.read(source, Kind.VIDEO, every.within(some)).images
            if not start:
                stream.height, stream.width = images.shape[1:3]
                # Half as many samples of colour need sides that are even.
                stream.pix_fmt = "yuv444p" if any(side % 2 for side in images.shape[1:3]) else "yuv420p"
            for image, time_s in zip(images, times_s[start:end], strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = round((time_s - times_s[0]) / _TIME_BASE), _TIME_BASE
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
