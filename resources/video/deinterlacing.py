"""Pictures woven of two fields, taken apart by libavfilter's bwdif, which looks at the neighbours of each."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, pairwise
from operator import attrgetter
from typing import Any, cast

from av.error import BlockingIOError, EOFError
from av.filter import Graph
from av.video.frame import VideoFrame

Neighbours = tuple[VideoFrame | None, VideoFrame, VideoFrame | None]


def with_neighbours(frames: Iterator[VideoFrame]) -> Iterator[Neighbours]:
    """Each frame, with the one before and the one after it."""
    padded: Iterator[Any] = chain([None], frames, [None])
    for (before, frame), (_, after) in pairwise(pairwise(padded)):
        yield before, frame, after


def deinterlace(before: VideoFrame | None, frame: VideoFrame, after: VideoFrame | None) -> VideoFrame:
    """``frame`` with the lines of its second field made new; its size and side data stay."""
    shape = attrgetter("width", "height", "format.name")
    shown = [one for one in (before, frame, after) if one is not None and shape(one) == shape(frame)]
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=all")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    made: list[Any] = []
    for one in [*shown, None]:
        graph.push(one)
        with suppress(BlockingIOError, EOFError):
            while True:
                made.append(graph.pull())
    return cast("VideoFrame", made[shown.index(frame)])
