"""What a captioner has spent and what it has promised to spend, kept in a file that survives the process."""

import sqlite3
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from resources.annotation.outcome import ClipError, ErrorKind
from resources.captioners.openai.pricing import Price, Usage

_WAIT_S = 60.0


@dataclass(eq=False)
class Spending:
    """Money of one captioner of one collection, never more than its limits.

    Before a request its largest possible cost is reserved; afterwards the reservation is replaced by the
    real cost. With a ``file``, all processes and runs share the limit, and a process that is killed
    leaves its open reservations behind: those requests may have been paid, so they count as spent.

    The file is an SQLite database with one sum a run. A reservation reaches the operating system before the request
    is sent, so it outlives a killed process, though not a power cut.

    Args:
        limit_usd: the most that may be spent over all runs, ``None`` for no limit.
        file: the captioner's record; ``None`` keeps the record in memory.
        run_limit_usd: the most that this run may spend.
        run_id: the run.
        price: of the model, if it is known; ``factor`` is :data:`BATCH_DISCOUNT` for the Batch API.

    ``is_spent`` is set once a request could not be paid.
    """

    limit_usd: float | None
    file: Path | None = None
    run_limit_usd: float | None = None
    run_id: str = ""
    price: Price | None = None
    factor: float = 1.0
    is_spent: bool = field(default=False, init=False)
    _open: sqlite3.Connection | None = field(default=None, init=False)
    _mine: dict[str, float] = field(default_factory=dict, init=False)
    _total: float = field(default=0.0, init=False)
    _of_run: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        for name, limit in (("max_cost_usd", self.limit_usd), ("max_cost_usd_per_run", self.run_limit_usd)):
            if limit is not None and not limit >= 0:
                raise ValueError(f"{name} must be at least 0, not {limit}")

    @property
    def has_limit(self) -> bool:
        """Is there a limit at all?"""
        return self.limit_usd is not None or self.run_limit_usd is not None

    def cost(self, usage: Usage | None) -> float | None:
        """What a reply costs; ``None`` where the price or the usage is unknown."""
        return None if usage is None or self.price is None else self.price.cost_usd(usage, self.factor)

    @property
    def waiting_for_own(self) -> bool:
        """Does this process hold open reservations, which may still turn out cheaper?"""
        return bool(self._mine)

    def reserve(self, usd: float) -> str | None:
        """Set ``usd`` aside; the reservation's id, or ``None`` where a limit would be passed."""
        with self._record() as record:
            record.execute("BEGIN IMMEDIATE")
            self._read(record)
            over_all = self.limit_usd is not None and self._total + usd > self.limit_usd
            if over_all or (self.run_limit_usd is not None and self._of_run + usd > self.run_limit_usd):
                return None
            self._add(record, usd)
        reservation = uuid.uuid4().hex
        self._mine[reservation] = usd
        return reservation

    def settle(self, reservation: str, usd: float) -> None:
        """Replace a reservation by what was really paid (0 where the request cost nothing)."""
        with self._record() as record:
            record.execute("BEGIN IMMEDIATE")
            self._read(record)
            self._add(record, usd - self._mine.pop(reservation))

    def spent(self) -> ClipError:
        """The outcome of a clip that there is no money left for."""
        self.is_spent = True
        limits = []
        if self.limit_usd is not None:
            limits.append(
                f"max_cost_usd of ${self.limit_usd:g} (${self._total:.4f} spent or reserved over all runs)"
            )
        if self.run_limit_usd is not None:
            limits.append(
                f"max_cost_usd_per_run of ${self.run_limit_usd:g} (${self._of_run:.4f} spent or reserved by this run)"
            )
        return ClipError(ErrorKind.BUDGET, f"{' or '.join(limits)} would be passed; left for a later run")

    def close(self) -> None:
        """Let go of the file. Open reservations stay in it as spent."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _record(self) -> sqlite3.Connection:
        if self._open is None:
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            # Captioners settle on the thread of their event loop and are closed on another.
            self._open = sqlite3.connect(
                self.file or ":memory:", timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            self._open.execute("PRAGMA synchronous = OFF")
            self._open.execute("CREATE TABLE IF NOT EXISTS spent (run TEXT PRIMARY KEY, usd REAL NOT NULL)")
        return self._open

    def _read(self, record: sqlite3.Connection) -> None:
        sums = dict(record.execute("SELECT run, usd FROM spent"))
        self._total, self._of_run = sum(sums.values()), sums.get(self.run_id, 0.0)

    def _add(self, record: sqlite3.Connection, usd: float) -> None:
        record.execute(
            "INSERT INTO spent VALUES (?, ?) ON CONFLICT (run) DO UPDATE SET usd = usd + excluded.usd",
            (self.run_id, usd),
        )
        self._total += usd
        self._of_run += usd
