"""A bar for each annotator of a run: done, failed, rate, time left."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from vidcap_assets.cli.output import is_live
from vidcap_assets.cli.run_log import RunLog


class Bars:
    """Live bars on a terminal, plain lines where there is none (a CI log), nothing when told so."""

    def __init__(
        self, console: Console, annotators: Sequence[str], clips: int, *, silent: bool = False
    ) -> None:
        self._console, self._clips = console, clips
        self._bars = not silent and is_live(console)
        self._lines = not silent and not self._bars
        self._said = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}", style="red"),
            TextColumn("{task.fields[speed]}", style="dim"),
            console=console,
            disable=not self._bars,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=clips, failed="", speed="waiting")
            for name in annotators
        }

    def show(self, log: RunLog) -> None:
        """Bring the bars up to what the log says."""
        for name, task in self._tasks.items():
            if name not in log.shards:
                continue
            done, failed, rate = log.done(name), log.failed(name), log.rates.get(name)
            left = self._clips - done
            speed = "done" if left <= 0 else "starting"
            if rate and left > 0:
                speed = f"{rate:.2f}/s, {duration(left / rate)} left"
            self._progress.update(
                task, completed=done, failed=f"{failed} failed" if failed else "", speed=speed
            )
        if self._lines:
            for message in log.messages[self._said :]:
                self._console.print(message, soft_wrap=True, markup=False)
        self._said = len(log.messages)

    def stopping(self) -> None:
        """Say that the end takes a moment."""
        if self._bars or self._lines:
            self._console.print("stopping; the batch in flight is given up, everything before it is kept")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
