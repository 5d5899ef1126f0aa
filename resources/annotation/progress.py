"""Progress of a shard: a log line every few seconds, and a record for who watches."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

_LOG_EVERY_S = 5.0


# Names the file to which the steps of a run append their progress, for the process that started the run.
VARIABLE = "VIDCAP_PROGRESS"


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one annotator is with one shard; ``settled`` clips had their outcome before, ``rate`` is clips/s."""

    annotator: str
    shard: str
    clips: int
    settled: int
    done: int = 0
    failed: int = 0
    rate: float = 0.0


def untold(progress: ShardProgress) -> None:
    """Nobody watches."""


def append_to(file: str | None) -> Callable[[ShardProgress], None]:
    """Appends each record to a file as a line of JSON, whole, so that several processes may share it."""
    if file is None:
        return untold

    def tell(progress: ShardProgress) -> None:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(progress)) + "\n")

    return tell


class Progress:
    """Counts outcomes and tells about them: ``done/total, rate, ETA, failed``."""

    def __init__(
        self, begun: ShardProgress, log: Callable[[str], None], tell: Callable[[ShardProgress], None]
    ) -> None:
        self._title, self._total = f"{begun.annotator} {begun.shard}", begun.clips - begun.settled
        self._begun, self._log, self._tell = begun, log, tell
        self._done = self._failed = 0
        self._started = self._logged = time.monotonic()

    def update(self, done: int, failed: int) -> None:
        """Count a batch that has been made durable; the failed are among the done."""
        self._done += done
        self._failed += failed
        now = time.monotonic()
        rate = self._done / max(now - self._started, 1e-9)
        self._tell(replace(self._begun, done=self._done, failed=self._failed, rate=rate))
        if now - self._logged >= _LOG_EVERY_S or self._done == self._total:
            self._logged = now
            counted = f"{self._title}: {self._done}/{self._total} clips"
            eta = f"{(self._total - self._done) / rate:.0f} s" if self._done else "unknown"
            self._log(f"{counted}, {rate:.2f}/s, ETA {eta}, {self._failed} failed")
