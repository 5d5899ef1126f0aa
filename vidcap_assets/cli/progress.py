"""How far a run is: what its steps append to their progress file, and a bar for each annotator."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from resources.annotation.progress import ShardProgress
from vidcap_assets.cli.output import console, is_live

_LINE_EVERY_S = 5.0


@dataclass
class RunProgress:
    """The latest record of each annotator and shard. ``file`` is where the steps append theirs."""

    file: Path
    shards: dict[str, dict[str, ShardProgress]] = field(default_factory=dict)
    _read: int = 0

    def refresh(self) -> list[ShardProgress]:
        """Take in the lines that are complete since the last time; what is new."""
        if not self.file.exists():
            return []
        with open(self.file, "rb") as lines:
            lines.seek(self._read)
            whole, end, _ = lines.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        new = [ShardProgress(**json.loads(line)) for line in whole.splitlines()]
        for one in new:
            self.shards.setdefault(one.annotator, {})[one.shard] = one
        return new


class Bars:
    """Live bars on a terminal, plain lines where there is none (a CI log); ``clips`` is 0 until it is told."""

    def __init__(self, output: Console, annotators: Sequence[str], clips: int) -> None:
        self._console, self._clips = output, clips
        self._bars = is_live(output)
        self._told: dict[str, float] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}", style="red"),
            TextColumn("{task.fields[speed]}", style="dim"),
            console=output,
            disable=not self._bars,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=clips, failed="", speed="waiting")
            for name in annotators
        }

    def show(self, progress: RunProgress) -> None:
        """Bring the bars up to what the run's steps have told."""
        new = progress.refresh()
        for name, task in self._tasks.items():
            if not (shards := list(progress.shards.get(name, {}).values())):
                continue
            done, failed = (sum(one.settled + one.done for one in shards), sum(one.failed for one in shards))
            clips, rate = self._clips or sum(one.clips for one in shards), shards[-1].rate
            left = clips - done
            speed = (
                "done" if left <= 0 else f"{rate:.2f}/s, {duration(left / rate)} left" if rate else "starting"
            )
            self._progress.update(
                task, total=clips, completed=done, failed=f"{failed} failed" if failed else "", speed=speed
            )
        for one in [] if self._bars else new:
            todo, now = one.clips - one.settled, time.monotonic()
            if one.done in (0, todo) or now - self._told.get(one.annotator, 0) >= _LINE_EVERY_S:
                self._told[one.annotator] = now
                state = f"{one.done}/{todo} clips, {one.rate:.2f}/s, {one.failed} failed"
                state = state if one.done else f"{one.clips} clips, {todo} to do"
                self._console.print(f"{one.annotator} {one.shard}: {state}", soft_wrap=True, markup=False)

    def stopping(self) -> None:
        """Say that the end takes a moment."""
        self._console.print("stopping; the batch in flight is given up, everything before it is kept")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


@contextmanager
def counted(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """On a terminal a bar that goes away in the end; gives what is to be told how many are done, of how many."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_live(console)) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
