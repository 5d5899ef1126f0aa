"""What the log of a run tells of its progress: pure parsing, one line at a time."""

import re
from dataclasses import dataclass, field

_LINE = re.compile(
    r"^\S+ \S+ \S+ - dagster - (?P<level>[A-Z]+) - \S+ - (?P<run>[0-9a-f-]{36}) - (?:\d+ - )?(?P<text>.*)$"
)
_OPENED = re.compile(
    r"(?P<annotator>\w+) (?P<shard>\S+): (?P<clips>\d+) clips, (?P<todo>\d+) to do, "
    r"(?P<skipped>\d+) skipped, (?P<before>\d+) done before$"
)
_MOVED = re.compile(
    r"(?P<annotator>\w+) (?P<shard>\S+): (?P<done>\d+)/(?P<todo>\d+) clips, (?P<rate>[\d.]+)/s, "
    r"ETA \S+(?: s)?, (?P<failed>\d+) failed$"
)
_STEP_FAILED = re.compile(r"(?P<step>\S+) - STEP_FAILURE - ")
_EXCEPTION = re.compile(r"^(?:[\w.]+\.)?(?P<name>[A-Z]\w*): (?P<message>.+)$")


@dataclass
class ShardProgress:
    """One annotator on one shard."""

    clips: int
    settled: int
    """Clips that had their outcome when the shard was opened."""
    done: int = 0
    failed: int = 0


@dataclass
class RunLog:
    """What a run said so far; feed it line by line."""

    run_id: str | None = None
    shards: dict[str, dict[str, ShardProgress]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    """Everything the steps said, for where no bars can be drawn."""
    _failing: str | None = None

    def feed(self, line: str) -> None:
        """Take in one line of the log, without its line end."""
        if (match := _LINE.match(line)) is None:
            self._explain(line)
            return
        self.run_id, text = match["run"], match["text"]
        if opened := _OPENED.search(text):
            self._of(opened["annotator"])[opened["shard"]] = ShardProgress(
                int(opened["clips"]), int(opened["skipped"]) + int(opened["before"])
            )
        elif moved := _MOVED.search(text):
            shard = self._of(moved["annotator"]).get(moved["shard"])
            if shard is not None:
                shard.done, shard.failed = int(moved["done"]), int(moved["failed"])
                self.rates[moved["annotator"]] = float(moved["rate"])
        elif failed := _STEP_FAILED.search(text):
            self._failing = failed["step"]
        if match["level"] in ("INFO", "WARNING"):
            self.messages.append(text)

    def done(self, annotator: str) -> int:
        """Clips of this run that have their outcome."""
        return sum(shard.settled + shard.done for shard in self.shards.get(annotator, {}).values())

    def failed(self, annotator: str) -> int:
        """Clips that failed in this run."""
        return sum(shard.failed for shard in self.shards.get(annotator, {}).values())

    def _of(self, annotator: str) -> dict[str, ShardProgress]:
        return self.shards.setdefault(annotator, {})

    def _explain(self, line: str) -> None:
        """The first exception below a failed step is its reason."""
        if self._failing and (match := _EXCEPTION.match(line.strip())):
            self.failures[self._failing] = match["message"]
            self._failing = None
