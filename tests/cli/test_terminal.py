import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from vidcap_assets.cli.run_log import RunLog

from tests.cli.test_run_log import BEFORE
from vidcap_assets.cli.bars import Bars

SAID = [
    "camera_motion - camera_motion shard-00000: 500 clips, 480 to do, 5 skipped, 15 done before",
    "camera_motion - camera_motion shard-00000: 80/480 clips, 4.00/s, ETA 100 s, 3 failed",
]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal: the screen that can be read, the device that is written to."""
    screen, device = pty.openpty()
    yield screen, device
    os.close(screen)
    os.close(device)


def draw(console: Console) -> None:
    log = RunLog()
    with Bars(console, ["camera_motion", "tags_objects"], 500) as bars:
        for line in SAID:
            log.feed(BEFORE + line)
            bars.show(log)


def test_bars_on_a_terminal(terminal: tuple[int, int]) -> None:
    screen, device = terminal
    with open(device, "w", closefd=False) as file:
        draw(Console(file=file, force_terminal=True, width=120))
    drawn = os.read(screen, 100_000).decode()
    assert "100/500" in drawn
    assert "3 failed" in drawn
    assert "4.00/s, 2 min left" in drawn
    assert "tags_objects" in drawn
    assert drawn.rstrip().endswith("\x1b[?25h"), "the cursor is back"


@pytest.mark.parametrize("options", [{}, {"force_terminal": True}])
def test_a_log_file_gets_lines_and_no_bars(options: dict) -> None:
    file = StringIO()
    draw(Console(file=file, width=40, color_system=None, **options))
    assert file.getvalue().splitlines() == SAID


def test_ctrl_c_ends_the_run_and_all_its_processes(tmp_path: Path, terminal: tuple[int, int]) -> None:
    screen, device = terminal
    environment = {
        **os.environ, "VIDCAP_HOME": str(tmp_path), "VIDCAP_DEFINITIONS": "tests.cli.endless", "COLUMNS": "200"
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "vidcap_assets.cli", "run", "demo"]
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], stdin=device, stdout=device, stderr=device, env=environment
    ) as process:
        log = _log_with(tmp_path, "waiting for the end")
        os.write(screen, b"\x03")
        code = process.wait(60)
    said = os.read(screen, 100_000).decode()
    assert code == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert "DagsterExecutionInterruptedError" in log.read_text(), (
        "the run ended by itself, and was waited for"
    )


def _log_with(home: Path, said: str) -> Path:
    for _ in range(600):
        for log in home.glob("logs/*.log"):
            if said in log.read_text():
                return log
        time.sleep(0.1)
    raise AssertionError("the run did not begin")
