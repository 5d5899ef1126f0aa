"""What a run has spent and what it has promised to spend, kept in a file that survives the process."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path


class Spending:
    """Money of one run, never more than its limit.

    Before a request its largest possible cost is reserved; afterwards the reservation is replaced by the
    real cost. With a ``file``, several processes of one run share the limit, and a process that is killed
    leaves its open reservations behind: those requests may have been paid, so they count as spent.

    The file holds one JSON line for each event (``reserve``, ``settle``). Lines reach the operating system
    before the request is sent, so they outlive a killed process, though not a power cut.

    Args:
        limit_usd: the most that may be spent, ``None`` for no limit.
        file: the run's record; two runs must not share one. ``None`` keeps the record in memory.
    """

    def __init__(self, limit_usd: float | None, file: Path | None = None) -> None:
        if limit_usd is not None and not limit_usd >= 0:
            raise ValueError(f"max_cost_usd must be at least 0, not {limit_usd}")
        self.limit_usd = limit_usd
        self._read_to = 0
        self._amounts: dict[str, float] = {}
        self._total = 0.0
        self._mine: set[str] = set()
        self._file = file
        self._open: FileIO | None = None

    @property
    def committed_usd(self) -> float:
        """Spent plus reserved, by every process of the run, as far as this one has read."""
        return self._total

    @property
    def waiting_for_own(self) -> bool:
        """Does this process hold open reservations, which may still turn out cheaper?"""
        return bool(self._mine)

    def reserve(self, usd: float) -> str | None:
        """Set ``usd`` aside; the reservation's id, or ``None`` where the limit would be passed."""
        with self._synchronised():
            if self.limit_usd is not None and self.committed_usd + usd > self.limit_usd:
                return None
            reservation = uuid.uuid4().hex
            self._write("reserve", reservation, usd)
            self._mine.add(reservation)
            return reservation

    def settle(self, reservation: str, usd: float) -> None:
        """Replace a reservation by what was really paid (0 where the request cost nothing)."""
        with self._synchronised():
            self._write("settle", reservation, usd)
            self._mine.discard(reservation)

    def close(self) -> None:
        """Let go of the file. Open reservations stay in it as spent."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def _synchronised(self) -> Iterator[None]:
        """Hold the record's lock, which goes with the process, after reading what others wrote to it."""
        if (record := self._record()) is None:
            yield
            return
        fcntl.flock(record, fcntl.LOCK_EX)
        try:
            self._read_others(record)
            yield
        finally:
            fcntl.flock(record, fcntl.LOCK_UN)

    def _record(self) -> FileIO | None:
        if self._open is None and self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._open = FileIO(self._file, "a+")
        return self._open

    def _read_others(self, record: FileIO) -> None:
        if os.fstat(record.fileno()).st_size == self._read_to:
            return
        record.seek(self._read_to)
        new = record.readall()
        for line in new.splitlines():
            if (amount := _amount(line)) is not None:
                self._apply(*amount)
        self._read_to += len(new)

    def _write(self, event: str, reservation: str, usd: float) -> None:
        if (record := self._record()) is not None:
            # The leading newline ends a line that a full disk may have cut short.
            line = b"\n" + json.dumps({"event": event, "id": reservation, "usd": usd}).encode()
            while line:
                written = record.write(line)
                self._read_to += written
                line = line[written:]
        self._apply(reservation, usd)

    def _apply(self, reservation: str, usd: float) -> None:
        self._total += usd - self._amounts.get(reservation, 0.0)
        self._amounts[reservation] = usd


def _amount(line: bytes) -> tuple[str, float] | None:
    """Reservation and dollars of one line; ``None`` if empty or cut short (that request was never sent)."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event["id"], float(event["usd"])
