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
_RUN_FAILED = re.compile(r"RUN_FAILURE - .*Steps failed: \[(?P<steps>[^\]]*)\]")
_EXCEPTION = re.compile(
    r"^(?:In process \d+: )?(?!Error: Run \S+ resulted in failure)(?:[\w.]+\.)?"
    r"(?P<name>(?:[A-Z]\w*)?(?:Error|Failure|Exception|Interrupt)): (?P<message>.+)$"
)
_SAID_BY_VIDCAP = "Failure"


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
    failed_steps: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    """Everything the steps said, for where no bars can be drawn."""
    _exceptions: list[tuple[str, str]] = field(default_factory=list)

    def feed(self, line: str) -> None:
        """Take in one line of the log, without its line end."""
        if (match := _LINE.match(line)) is None:
            if exception := _EXCEPTION.match(line.strip()):
                self._exceptions.append((exception["name"], exception["message"]))
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
        elif failed := _RUN_FAILED.search(text):
            self.failed_steps = [step.strip(" '\"") for step in failed["steps"].split(",")]
        if match["level"] in ("INFO", "WARNING"):
            self.messages.append(text)

    def done(self, annotator: str) -> int:
        """Clips of this run that have their outcome."""
        return sum(shard.settled + shard.done for shard in self.shards.get(annotator, {}).values())

    def failed(self, annotator: str) -> int:
        """Clips that failed in this run."""
        return sum(shard.failed for shard in self.shards.get(annotator, {}).values())

    @property
    def failures(self) -> dict[str, str]:
        """Why the run failed, by step: what vidcap itself says of it, else the exception at the root."""
        said = list(dict.fromkeys(text for name, text in self._exceptions if name == _SAID_BY_VIDCAP))
        root = self._exceptions[-1:]
        reasons = {}
        for step in self.failed_steps or ["run"] * bool(root):
            own = [text for text in said if text.startswith(f"{step}:")]
            rest = own or said or [f"{name}: {text}" for name, text in root] or ["see the log"]
            reasons[step] = rest[0].removeprefix(f"{step}: ")
        return reasons

    def _of(self, annotator: str) -> dict[str, ShardProgress]:
        return self.shards.setdefault(annotator, {})
