"""Progress of a shard: a log line every few seconds, and a bar where there is a terminal."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from resources.annotation.outcome import Outcome, Status

_LOG_EVERY_S = 5.0


class Progress:
    """Counts outcomes and tells about them: ``done/total, rate, ETA, failed``."""

    def __init__(self, title: str, total: int, log: Callable[[str], None], show_bar: bool) -> None:
        self._title, self._total, self._log = title, total, log
        self._done = self._failed = 0
        self._started = self._logged = time.monotonic()
        self._bar = None
        if show_bar:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=title, unit="clip")

    def update(self, outcomes: Sequence[Outcome]) -> None:
        """Count a batch that has been made durable."""
        self._done += len(outcomes)
        self._failed += sum(outcome.status is Status.FAILED for outcome in outcomes)
        if self._bar is not None:
            self._bar.update(len(outcomes))
            self._bar.set_postfix(failed=self._failed)
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

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
