"""The packets of a file of which clips are parts, read once for all of them that follow each other."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from resources.annotation.clip import Span
from resources.video.budget import Budget
from resources.video.packets import PacketTable, read_index, read_packets
from resources.video.parts import part_of
from resources.video.shown_times import Shown
from resources.video.streams import may_begin_anew, open_media, picture_stream


@dataclass(frozen=True)
class Film:
    """``times_s``: when each frame is shown, in seconds since the first one."""

    table: PacketTable
    shown: Shown
    times_s: list[float | None]

    def cut(self, span: Span) -> tuple[Shown, Span]:
        """The frames of a part, and the part in seconds.

        Raises:
            ClipError: see :func:`part_of`.
        """
        part = part_of(span, self.times_s)
        times = self.shown.times[part.start : part.stop]
        after, last = self.shown.times[part.stop : part.stop + 1], times[-1]
        length = after[0] - last if after and after[0] is not None and last is not None else 0
        shown = Shown(times, length if after else self.shown.last_duration)
        begin, last_s = self.times_s[part.start], self.times_s[part.stop - 1]
        if not span.in_frames or begin is None or last_s is None:
            return shown, span
        end = self.times_s[part.stop] if after else last_s + 1.0
        return shown, Span(begin, last_s if end is None else end)


def film_of(path: Path, budget: Budget) -> Film:
    """The packets of the file's video; of the file read last they are known.

    Raises:
        ClipError: the file cannot be read.
    """
    status = path.stat()
    return _read(path, budget, status.st_size, status.st_mtime_ns)


def part_times(path: Path, span: Span) -> tuple[int, list[float]]:
    """The number of a part's first frame in the file, and when each of its frames is shown. Meant for a child process.

    Raises:
        ClipError: the file cannot be read, or has no such part.
    """
    film = film_of(path, Budget())
    part = part_of(span, film.times_s)
    return part.start, [time or 0.0 for time in film.times_s[part.start : part.stop]]


@lru_cache(maxsize=1)
def _read(path: Path, budget: Budget, size: int, mtime_ns: int) -> Film:
    with open_media(path, headers_only=True) as container:
        stream = picture_stream(container, budget)
        table = read_packets(container, stream, budget.max_frames)
        shown = Shown.of(table, stream.time_base, may_begin_anew(container))
        if index := read_index(path, container, stream):
            # How long the last frame is shown stands in the header alone.
            shown = replace(shown, last_duration=index.packets[-1].duration or shown.last_duration)
        return Film(table, shown, shown.seconds(stream.time_base))
