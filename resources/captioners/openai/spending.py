"""What a run has spent and what it has promised to spend, kept in a file that survives the process."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


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
        self._file = file
        self._read_to = 0
        self._amounts: dict[str, float] = {}
        self._total = 0.0
        self._mine: set[str] = set()
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)

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

    @contextmanager
    def _synchronised(self) -> Iterator[None]:
        if self._file is None:
            yield
            return
        with FileLock(f"{self._file}.lock"):
            self._read_others()
            yield

    def _read_others(self) -> None:
        if self._file is None or not self._file.exists():
            return
        with open(self._file, "rb") as file:
            file.seek(self._read_to)
            new = file.read()
        for line in new.splitlines():
            if (amount := _amount(line)) is not None:
                self._apply(*amount)
        self._read_to += len(new)

    def _write(self, event: str, reservation: str, usd: float) -> None:
        if self._file is not None:
            line = json.dumps({"event": event, "id": reservation, "usd": usd}).encode()
            # The leading newline ends a line that a full disk may have cut short.
            with open(self._file, "ab", buffering=0) as file:
                file.write(b"\n" + line)
            self._read_to += len(line) + 1
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
