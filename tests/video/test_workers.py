"""Isolation: whatever a call does to its process, the caller gets an answer and the pool lives on."""

import ctypes
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil
import pytest

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video import IsolatedWorkers
from resources.video.frames import Frames
from resources.video.wire import Unreadable, decoded, encoded

NOTHING: tuple[str, ...] = ()


def add(left: int, right: int) -> int:
    return left + right


def sleep_holding_the_lock(seconds: int) -> None:
    """Sleep in C without giving up the interpreter lock, as a hung decoder does."""
    ctypes.PyDLL(None).sleep(seconds)


def crash() -> None:
    sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
    sys.stderr.flush()
    os.abort()


def crash_once(mark: Path) -> str:
    if mark.exists():
        return "second try"
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return "unreachable"


def process_id() -> int:
    return os.getpid()


def allocate(size: int) -> int:
    return len(bytearray(size))


def fail_with(kind: ErrorKind) -> None:
    raise ClipError(kind, "for a reason")


def divide_by_zero() -> float:
    return 1 / 0


class Contrary(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} against {two}")


def disagree() -> None:
    raise Contrary("this", "that")


def unpicklable() -> object:
    return lambda: None


def ramp(rows: int) -> np.ndarray:
    return np.arange(rows * 1000, dtype=np.uint8).reshape(rows, 1000)


def imported(names: list[str]) -> list[str]:
    return [name for name in names if name in sys.modules]


def printing() -> int:
    print("noise " * 100_000)
    os.write(2, b"noise " * 10_000)
    return 1


@pytest.fixture
def pool():
    with IsolatedWorkers(2, timeout_s=30, preload=NOTHING) as workers:
        yield workers


def pids(pool: IsolatedWorkers) -> list[int]:
    """The children that are alive now."""
    return [worker._process.pid for worker in (*pool._idle, *pool._busy) if worker.is_alive()]


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def test_many_threads_share_the_pool(pool: IsolatedWorkers):
    with ThreadPoolExecutor(8) as threads:
        sums = list(threads.map(lambda number: pool.call(add, number, 1), range(200)))
    assert sums == list(range(1, 201))
    assert len(pids(pool)) == 2


def test_children_start_when_they_are_needed(pool: IsolatedWorkers):
    assert pids(pool) == []
    pool.call(add, 1, 1)
    assert len(pids(pool)) == 1


def test_a_hang_ends_at_the_deadline_and_the_pool_lives_on(pool: IsolatedWorkers):
    pool.call(add, 1, 1)
    hung = pool.call(process_id)
    started = time.monotonic()
    with pytest.raises(ClipError, match=r"longer than 0\.5 s") as error:
        pool.call(sleep_holding_the_lock, 60, timeout_s=0.5)
    assert error.value.kind is ErrorKind.DECODE_TIMEOUT
    assert time.monotonic() - started < 50, "it was waited for"
    wait_until_gone(hung)
    assert pool.call(add, 1, 2) == 3


def test_a_hang_does_not_disturb_the_others(pool: IsolatedWorkers):
    with ThreadPoolExecutor(2) as threads:
        hanging = threads.submit(pool.call, sleep_holding_the_lock, 60, timeout_s=2)
        assert [pool.call(add, number, 0) for number in range(50)] == list(range(50))
        with pytest.raises(ClipError):
            hanging.result()


def test_a_crash_tells_its_signal_and_last_words(pool: IsolatedWorkers):
    with pytest.raises(ClipError, match=r"SIGABRT.*bad_alloc") as error:
        pool.call(crash)
    assert error.value.kind is ErrorKind.DECODE_CRASH
    assert pool.call(add, 1, 2) == 3


def test_a_crash_that_does_not_repeat_is_not_the_clips_fault(pool: IsolatedWorkers, tmp_path: Path):
    assert pool.call(crash_once, tmp_path / "mark") == "second try"


def test_an_idle_child_that_was_killed_is_replaced(pool: IsolatedWorkers):
    os.kill(pool.call(process_id), signal.SIGKILL)
    assert pool.call(add, 1, 2) == 3


def test_memory_is_limited():
    with IsolatedWorkers(1, memory_limit_bytes=512 * 1024**2, preload=NOTHING) as pool:
        with pytest.raises(ClipError, match=r"limit of 0\.5 GiB") as error:
            pool.call(allocate, 1024**3)
        assert error.value.kind is ErrorKind.DECODE_CRASH
        assert pool.call(allocate, 1024**2) == 1024**2


def test_errors_come_back_with_their_kind(pool: IsolatedWorkers):
    with pytest.raises(ClipError, match="for a reason") as known:
        pool.call(fail_with, ErrorKind.NO_VIDEO_STREAM)
    assert known.value.kind is ErrorKind.NO_VIDEO_STREAM
    with pytest.raises(ClipError, match="ZeroDivisionError") as unknown:
        pool.call(divide_by_zero)
    assert unknown.value.kind is ErrorKind.INTERNAL
    assert "return 1 / 0" in unknown.value.__notes__[0]
    with pytest.raises(ClipError, match="Contrary: this against that"):
        pool.call(disagree)
    with pytest.raises(ClipError, match="cannot be sent"):
        pool.call(unpicklable)
    assert pool.call(add, 1, 2) == 3


def test_large_arrays_come_back_whole_and_writable(pool: IsolatedWorkers):
    array = pool.call(ramp, 20_000)
    assert np.array_equal(array, ramp(20_000))
    array[0] = 0


def test_what_a_decoder_prints_is_not_in_the_way(pool: IsolatedWorkers, capfd: pytest.CaptureFixture[str]):
    assert pool.call(printing) == 1
    assert capfd.readouterr() == ("", "")


def test_children_are_recycled():
    with IsolatedWorkers(1, recycle_after=3, preload=NOTHING) as pool:
        pids = [pool.call(process_id) for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_a_child_outlives_the_thread_that_first_needed_it(pool: IsolatedWorkers):
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(pool.call(process_id)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert pool.call(process_id) == found[0]


def test_children_import_no_model_library_and_no_dagster():
    heavy = ["torch", "dagster", "transformers", "pyarrow", "duckdb", "matplotlib", "decord"]
    with IsolatedWorkers(1) as pool:
        assert pool.call(imported, [*heavy, "av"]) == ["av"]


def test_children_know_no_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("VIDCAP_HOME", "here")
    with IsolatedWorkers(1, preload=NOTHING) as pool:
        assert pool.call(os.getenv, "OPENAI_API_KEY") is None
        assert pool.call(os.getenv, "VIDCAP_HOME") == "here"


def parents_environment() -> str:
    with open(f"/proc/{os.getppid()}/environ") as file:
        return file.read()


def test_children_cannot_read_the_environment_of_their_parent(pool: IsolatedWorkers):
    with pytest.raises(ClipError, match="PermissionError"):
        pool.call(parents_environment)


def test_a_secret_of_any_name_stays_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_ROUTER", "sk-secret")
    with IsolatedWorkers(1, preload=NOTHING) as pool:
        assert pool.call(os.getenv, "MY_ROUTER") is None


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def taken_over(what: bytes) -> None:
    """Answer as a decoder that a file has taken over: on the socket itself."""
    connection = Connection(int(sys.argv[1]))
    connection.send_bytes(what)
    connection.send_bytes(what)
    time.sleep(60)


@pytest.mark.parametrize(
    "what",
    [
        pickle.dumps(Evil()),
        b"[]",
        b"[-1]",
        b"null",
        b"[" * 100_000,
        b'{"class": "subprocess:Popen", "fields": {"args": "true"}}',
    ],
)
def test_a_child_that_was_taken_over_runs_nothing_here(pool: IsolatedWorkers, what: bytes):
    with pytest.raises(ClipError, match="cannot be read") as error:
        pool.call(taken_over, what)
    assert error.value.kind is ErrorKind.DECODE_CRASH
    assert pool.call(add, 1, 2) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"class": "subprocess:Popen", "fields": {"args": "true"}},
        {"class": "resources.video.wire:importlib", "fields": {}},
        {"class": "resources.video.worker:Worker", "fields": {}},
        {"enum": "resources.video.frames:Frames", "value": 1},
        {"array": 0, "dtype": "O", "shape": [1]},
        {"array": 3, "dtype": "u1", "shape": [1]},
        {"array": 0, "dtype": "u1", "shape": [9]},
        {"clip_error": ["nonsense", ""]},
        {"unknown": 1},
    ],
)
def test_nothing_is_made_of_a_reply_but_plain_data(body: dict):
    with pytest.raises(Unreadable):
        decoded(json.dumps(body).encode(), [memoryview(bytearray(8))], frozenset({"resources"}))


def test_plain_data_come_back_as_they_were():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    frames = Frames(pixels, [0, 5], 9, [0.0, None], {"why": "x", "n": (1, 2)})
    refused = ClipError(ErrorKind.REFUSED, "no")
    sent = {"value": [frames, Kind.IMAGE, refused, np.float32(2), Path("a"), {1: float("inf")}]}
    back = decoded(*encoded(sent), frozenset({"resources"}))["value"]
    assert np.array_equal(back[0].images, frames.images)
    assert (back[0].indices, back[0].times_s, back[0].details) == (
        frames.indices,
        frames.times_s,
        frames.details,
    )
    assert back[1] is Kind.IMAGE
    assert (back[2].kind, back[2].message) == (ErrorKind.REFUSED, "no")
    assert back[3:] == [2.0, Path("a"), {1: float("inf")}]


def test_closing_ends_children_and_calls():
    pool = IsolatedWorkers(2, preload=NOTHING)
    idle = pool.call(process_id)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(pool.call, sleep_holding_the_lock, 60)
        time.sleep(0.3)
        pool.close()
        with pytest.raises(RuntimeError, match="closed"):
            running.result()
    wait_until_gone(idle)
    assert pids(pool) == []
    with pytest.raises(RuntimeError, match="closed"):
        pool.call(add, 1, 1)
    pool.close()


PARENT = """
import sys, threading, time
from resources.video import IsolatedWorkers
from tests.video.test_workers import pids, process_id, sleep_holding_the_lock
print("imported as", __name__, flush=True)
pool = IsolatedWorkers(2, preload=())
busy = threading.Thread(target=pool.call, args=(sleep_holding_the_lock, 60))
busy.start()
while not pids(pool):
    time.sleep(0.02)
pool.call(process_id)
print("pids", *pids(pool), flush=True)
time.sleep(60)
"""


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path):
    """Even a child that hangs in native code; and the parent's script is not run again in the children."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "imported as __main__\n"
        pids = [int(pid) for pid in parent.stdout.readline().split()[1:]]
        assert len(pids) == 2
        parent.kill()
        for pid in pids:
            wait_until_gone(pid)


@pytest.mark.parametrize(("workers", "timeout_s"), [(0, 1.0), (1, 0.0)])
def test_nonsense_settings_are_refused(workers: int, timeout_s: float):
    with pytest.raises(ValueError, match=str(workers if workers < 1 else timeout_s)):
        IsolatedWorkers(workers, timeout_s)
