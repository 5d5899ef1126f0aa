"""When the frames of a stream are shown: one line of time, also where a joined stream begins to count anew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import attrgetter
from statistics import median

from resources.video.packets import PacketInfo, PacketTable
from resources.video.pictures import seconds_between

JUMP_S = 10
"""A step further than this, in a kind of file whose times may begin anew, is such a beginning: FFmpeg's own rule."""
# A frame interval counts as odd when it differs from the usual one by this share, and by more than one tick.
ODD_INTERVAL = 0.1
VARIABLE_SHARE = 0.01
# A rate in the header is believed, for its exact fraction, when the frames' times agree this well.
SAME_RATE = 0.003
# The last frame counts as held when it lasts this much longer than a usual one.
HELD = 1.5


class Clock:
    """Makes one line of the times of frames that come in display order; ``None`` where the file has no times."""

    def __init__(self, time_base: Fraction | None, may_begin_anew: bool) -> None:
        self._jump = JUMP_S / time_base if time_base and may_begin_anew else None
        self._offset = 0
        self._last: tuple[int, int] | None = None

    def tick(self, pts: int | None, duration: int | None) -> int | None:
        """The time of the next frame, in ``time_base`` units."""
        if pts is None:
            return None
        if self._last is not None:
            last, length = self._last
            if pts <= last or (self._jump is not None and pts - last > self._jump):
                self._offset += last + length - pts
        length = duration or (pts - self._last[0] if self._last and pts > self._last[0] else 1)
        self._last = pts, length
        return pts + self._offset


@dataclass(frozen=True, slots=True)
class Shown:
    """A time for each frame shown, in ``time_base`` units, ascending; and how long the last one lasts, 0 if unknown."""

    times: Sequence[int | None]
    last_duration: int

    def seconds(self, time_base: Fraction | None) -> list[float | None]:
        """The times in seconds since the first one."""
        return [seconds_between(self.times[0], time, time_base) for time in self.times]

    @classmethod
    def of(cls, table: PacketTable, time_base: Fraction | None, may_begin_anew: bool) -> "Shown":
        """By presentation times, else by those of decoding."""
        packets = table.shown
        if len(table.display_pts) < len(packets):
            times = [packet.dts for packet in packets]
            known = sorted(time for time in times if time is not None)
            last = packets[-1].duration if packets else 0
            return cls(times if len(known) < len(times) else list(known), last)
        clock = Clock(time_base, may_begin_anew)
        ordered = [
            packet
            for part in (_parts(packets, time_base) if may_begin_anew else [packets])
            for packet in sorted(part, key=attrgetter("pts"))
        ]
        shown = [clock.tick(packet.pts, packet.duration) for packet in ordered]
        return cls(shown, ordered[-1].duration if ordered else 0)


def _parts(packets: Iterable[PacketInfo], time_base: Fraction | None) -> list[list[PacketInfo]]:
    """Packets in file order, parted where the time of decoding goes back or jumps far ahead."""
    parts: list[list[PacketInfo]] = [[]]
    last: int | None = None
    for packet in packets:
        if packet.dts is not None:
            if last is not None and time_base and not 0 <= (packet.dts - last) * time_base <= JUMP_S:
                parts.append([])
            last = packet.dts
        parts[-1].append(packet)
    return parts


@dataclass(frozen=True, slots=True)
class Timing:
    """The average frame rate (1/s), whether it varies, and the length in seconds; ``None`` if unknown."""

    fps: float | None
    is_vfr: bool
    duration_s: float | None

    @classmethod
    def of(
        cls, shown: Shown, time_base: Fraction | None, header_rates: Sequence[Fraction | None]
    ) -> "Timing":
        """From the frames' times; by the first rate in the header where there are none, or but one."""
        known = [time for time in shown.times if time is not None]
        count = len(shown.times)
        steps = [later - earlier for earlier, later in pairwise(known) if later > earlier]
        if time_base is None or len(known) < count or not (steps or shown.last_duration):
            rate = next((float(rate) for rate in header_rates if rate), None)
            return cls(rate, False, count / rate if rate else None)
        usual = median(steps) if steps else shown.last_duration
        last = shown.last_duration or usual
        odd = sum(abs(step - usual) > max(1, ODD_INTERVAL * usual) for step in steps)
        is_held = last > HELD * usual
        is_vfr = odd + is_held > VARIABLE_SHARE * len(shown.times)
        length = known[-1] - known[0]
        duration_s = float((length + Fraction(last)) * time_base)
        # A last frame that is cut short does not make the rate of the others another one.
        fps = count / float((length + Fraction(last if is_vfr else usual)) * time_base)
        if not is_vfr:
            fps = next(
                (float(rate) for rate in header_rates if rate and abs(fps / rate - 1) < SAME_RATE), fps
            )
        return cls(fps, is_vfr, duration_s)
