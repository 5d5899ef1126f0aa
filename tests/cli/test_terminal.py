import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from resources.annotation.progress import ShardProgress, append_to
from vidcap_assets.cli.progress import Bars, RunProgress

BEGUN = ShardProgress("camera_motion", "shard-00000", clips=500, settled=20)
TOLD = [BEGUN, replace(BEGUN, done=80, failed=3, rate=4.0)]
LINES = ["camera_motion shard-00000: 500 clips, 480 to do"]


class Terminal:
    """A pseudo-terminal whose screen is read all the time, so that no writer ever waits for room."""

    def __init__(self) -> None:
        self._screen, self.device = pty.openpty()
        self._shown = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, text: str) -> str:
        """All that the screen has shown, once ``text`` is in it."""
        wait_until(lambda: text.encode() in self._shown, f"{text!r} on the screen")
        return self._shown.decode(errors="replace")

    def press(self, key: bytes) -> None:
        os.write(self._screen, key)

    def close(self) -> None:
        """The last to close the device ends the reading."""
        os.close(self.device)
        self._reader.join(60)
        os.close(self._screen)

    def _read(self) -> None:
        with suppress(OSError):  # EIO: nobody has the device open any more
            while piece := os.read(self._screen, 4096):
                self._shown += piece


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)


def draw(console: Console, folder: Path) -> None:
    progress = RunProgress(folder / "progress.jsonl")
    tell = append_to(str(progress.file))
    with Bars(console, ["camera_motion", "tags_objects"], 500) as bars:
        for one in TOLD:
            tell(one)
            bars.show(progress)


def test_bars_on_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    with open(terminal.device, "w", closefd=False) as file:
        draw(Console(file=file, force_terminal=True, width=120), tmp_path)
    drawn = terminal.until("\x1b[?25h")
    assert "100/500" in drawn
    assert "3 failed" in drawn
    assert "4.00/s, 2 min left" in drawn
    assert "tags_objects" in drawn
    assert drawn.rstrip().endswith("\x1b[?25h"), "the cursor is back"


@pytest.mark.parametrize("options", [{}, {"force_terminal": True}])
def test_a_log_file_gets_lines_and_no_bars(options: dict, tmp_path: Path) -> None:
    file = StringIO()
    draw(Console(file=file, width=40, color_system=None, **options), tmp_path)
    assert file.getvalue().splitlines() == LINES, "the next line is due after some seconds"


def test_ctrl_c_ends_the_run_and_all_its_processes(tmp_path: Path, terminal: Terminal) -> None:
    environment = {
        **os.environ, "VIDCAP_HOME": str(tmp_path), "VIDCAP_DEFINITIONS": "tests.cli.endless", "COLUMNS": "200",
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "vidcap_assets.cli", "run", "demo"]
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command],
        stdin=terminal.device,
        stdout=terminal.device,
        stderr=terminal.device,
        env=environment,
        # A shell that started these tests in the background had the signal ignored, for all below it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        log = _log_with(tmp_path, "waiting for the end")
        terminal.press(b"\x03")
        code = process.wait(240)
    finally:
        process.kill()
        process.wait()
    said = terminal.until("the same command goes on from there")
    assert code == 130
    assert "Traceback" not in said
    assert "DagsterExecutionInterruptedError" in log.read_text(), (
        "the run ended by itself, and was waited for"
    )
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        (run,) = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.CANCELED, "what a person stopped is not a failure"


def _log_with(home: Path, said: str) -> Path:
    found: list[Path] = []

    def look() -> bool:
        found[:] = [log for log in home.glob("logs/*.log") if said in log.read_text()]
        return bool(found)

    wait_until(look, "the run to begin")
    return found[0]
