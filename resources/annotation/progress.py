"""Progress of a shard: a log line every few seconds."""

import time
from collections.abc import Callable, Sequence

from resources.annotation.outcome import Outcome, Status

_LOG_EVERY_S = 5.0


class Progress:
    """Counts outcomes and tells about them: ``done/total, rate, ETA, failed``."""

    def __init__(self, title: str, total: int, log: Callable[[str], None]) -> None:
        self._title, self._total, self._log = title, total, log
        self._done = self._failed = 0
        self._started = self._logged = time.monotonic()

    def update(self, outcomes: Sequence[Outcome]) -> None:
        """Count a batch that has been made durable."""
        self._done += len(outcomes)
        self._failed += sum(outcome.status is Status.FAILED for outcome in outcomes)
        if time.monotonic() - self._logged >= _LOG_EVERY_S or self._done == self._total:
            self._logged = time.monotonic()
            self._log(self.line())

    def line(self) -> str:
        """The state in one line."""
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = self._done / elapsed
        eta = f"{(self._total - self._done) / rate:.0f} s" if self._done else "unknown"
        return (
            f"{self._title}: {self._done}/{self._total} clips, {rate:.2f}/s, ETA {eta}, {self._failed} failed"
        )
