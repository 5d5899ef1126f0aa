import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from resources.annotation.progress import ShardProgress, append_to
from vidcap_assets.cli.bars import Bars
from vidcap_assets.cli.run_progress import RunProgress

BEGUN = ShardProgress("camera_motion", "shard-00000", clips=500, settled=20)
TOLD = [BEGUN, replace(BEGUN, done=80, failed=3, rate=4.0)]
SHOWN_CURSOR = "\x1b[?25h"
LINES = ["camera_motion shard-00000: 500 clips, 480 to do"]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal: the screen that can be read, the device that is written to."""
    screen, device = pty.openpty()
    yield screen, device
    os.close(screen)
    os.close(device)


def draw(console: Console, folder: Path) -> None:
    progress = RunProgress(folder / "progress.jsonl")
    tell = append_to(str(progress.file))
    with Bars(console, ["camera_motion", "tags_objects"], 500) as bars:
        for one in TOLD:
            tell(one)
            bars.show(progress)


def read_until(screen: int, wanted: str) -> str:
    """What is on the screen once the wanted text has come; the test's own time limit ends a wait in vain."""
    drawn = ""
    while wanted not in drawn:
        drawn += os.read(screen, 100_000).decode()
    return drawn


def test_bars_on_a_terminal(terminal: tuple[int, int], tmp_path: Path) -> None:
    screen, device = terminal
    with open(device, "w", closefd=False) as file:
        draw(Console(file=file, force_terminal=True, width=120), tmp_path)
    drawn = read_until(screen, SHOWN_CURSOR)
    assert "100/500" in drawn
    assert "3 failed" in drawn
    assert "4.00/s, 2 min left" in drawn
    assert "tags_objects" in drawn
    assert drawn.rstrip().endswith(SHOWN_CURSOR), "the cursor is back"


@pytest.mark.parametrize("options", [{}, {"force_terminal": True}])
def test_a_log_file_gets_lines_and_no_bars(options: dict, tmp_path: Path) -> None:
    file = StringIO()
    draw(Console(file=file, width=40, color_system=None, **options), tmp_path)
    assert file.getvalue().splitlines() == LINES, "the next line is due after some seconds"


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
    said = read_until(screen, "the same command goes on from there")
    assert code == 130
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
