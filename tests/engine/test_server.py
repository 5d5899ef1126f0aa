"""A server's whole life, by real processes."""

import contextlib
import os
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from resources.annotation.outcome import AnnotatorError
from resources.engine.device_lease import lease_devices
from resources.engine.server import Server, served_models

ROOT = Path(__file__).parents[2]
COMMAND = shlex.join([sys.executable, str(Path(__file__).with_name("small_server.py"))]) + " {port} {model}"
PATIENCE_S = 60.0


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def make(tmp_path: Path, notes: Path, model: str = "llava") -> Server:
    return Server(f"{COMMAND} {notes}", model, 1, tmp_path / "logs" / "server.log", PATIENCE_S)


def processes(notes: Path) -> list[psutil.Process]:
    """Every process that a server has noted and that still runs."""
    found = []
    for number in notes.read_text().split():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(number)))
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


def test_a_server_serves_by_its_own_name_and_leaves_nothing(tmp_path: Path, notes: Path) -> None:
    server = make(tmp_path, notes)
    server.start()
    server.start()
    assert server.model_name() == "served-llava"
    running = processes(notes)
    assert len(running) == 2, "one server and its worker, started once"
    server.close()
    assert not processes(notes)
    assert served_models(server.base_url) is None


def test_a_killed_step_takes_its_server_along(tmp_path: Path, notes: Path) -> None:
    kill_and_wait(tmp_path, notes)


@pytest.mark.slow
def test_fifty_killed_steps_leave_no_process(tmp_path: Path) -> None:
    for number in range(50):
        kill_and_wait(tmp_path, tmp_path / f"notes-{number}")


def kill_and_wait(tmp_path: Path, notes: Path) -> None:
    arguments = ["llava", str(notes), str(tmp_path / "server.log")]
    step = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.step_with_server", *arguments], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert step.stdout is not None
    assert step.stdout.readline() == b"ready\n"
    (guard,) = psutil.Process(step.pid).children()
    running = processes(notes)
    assert len(running) == 2
    step.kill()
    step.wait()
    _, alive = psutil.wait_procs([guard, *running], timeout=PATIENCE_S)
    step.stdout.close()
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def test_a_server_that_does_not_come_up_is_quoted(tmp_path: Path, notes: Path) -> None:
    server = make(tmp_path, notes, "broken")
    with pytest.raises(
        AnnotatorError, match=r"(?s)ended before it was ready.*not enough memory for the weights"
    ):
        server.start()
    server.close()


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    server = Server("/no/such/vllm serve {model} --port {port}", "m", 1, tmp_path / "log", PATIENCE_S)
    with pytest.raises(AnnotatorError, match=r"/no/such/vllm cannot be started: .*No such file"):
        server.start()
    server.close()


def test_a_server_that_dies_is_started_once_more(tmp_path: Path, notes: Path) -> None:
    said: list[str] = []
    server = Server(f"{COMMAND} {notes}", "llava", 1, tmp_path / "log", PATIENCE_S, said.append)
    for _ in range(2):
        server.start()
        die(server)
        assert not processes(notes), "its worker has gone with it"
    assert sum("died and is started again" in line for line in said) == 1
    with pytest.raises(AnnotatorError, match="died 2 times"):
        server.start()
    server.close()


def die(server: Server) -> None:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"{server.base_url.removesuffix('/v1')}/die", timeout=10).close()
    assert server._process is not None
    server._process.wait(PATIENCE_S)


def test_devices_stay_leased_until_the_last_process_on_them_has_ended(tmp_path: Path) -> None:
    lease = lease_devices(["0"], folder=tmp_path)
    guard = subprocess.Popen(["sleep", "1000"], pass_fds=lease.descriptors)
    for lock in lease._locks:
        os.close(lock._context.lock_file_fd)  # as the end of the process that leased does
        lock._context.lock_file_fd = None
    with pytest.raises(AnnotatorError, match="no 1 free device"):
        lease_devices(["0"], timeout_s=0.0, folder=tmp_path)
    guard.kill()
    guard.wait()
    lease_devices(["0"], timeout_s=PATIENCE_S, folder=tmp_path).release()
