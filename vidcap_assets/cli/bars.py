"""A bar for each annotator of a run: done, failed, rate, time left."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from vidcap_assets.cli.output import is_live
from vidcap_assets.cli.run_progress import RunProgress

_LINE_EVERY_S = 5.0


class Bars:
    """Live bars on a terminal, plain lines where there is none (a CI log), nothing when told so."""

    def __init__(
        self, console: Console, annotators: Sequence[str], clips: int, *, silent: bool = False
    ) -> None:
        self._console, self._clips = console, clips
        self._bars = not silent and is_live(console)
        self._lines = not silent and not self._bars
        self._said: dict[str, float] = {}
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

    def show(self, progress: RunProgress) -> None:
        """Bring the bars up to what the run's steps have told."""
        new = progress.refresh()
        for name, task in self._tasks.items():
            if name not in progress.shards:
                continue
            done, failed, rate = progress.done(name), progress.failed(name), progress.rate(name)
            left = self._clips - done
            speed = "done" if left <= 0 else "starting"
            if rate and left > 0:
                speed = f"{rate:.2f}/s, {duration(left / rate)} left"
            self._progress.update(
                task, completed=done, failed=f"{failed} failed" if failed else "", speed=speed
            )
        for one in new if self._lines else []:
            todo, now = one.clips - one.settled, time.monotonic()
            if one.done in (0, todo) or now - self._said.get(one.annotator, 0) >= _LINE_EVERY_S:
                self._said[one.annotator] = now
                state = (
                    f"{one.done}/{todo} clips, {one.rate:.2f}/s, {one.failed} failed"
                    if one.done
                    else (f"{one.clips} clips, {todo} to do")
                )
                self._console.print(f"{one.annotator} {one.shard}: {state}", soft_wrap=True, markup=False)

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
