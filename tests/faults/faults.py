"""The faults: each is done to a world, mostly while a run is under way, and says how many answers it may cost."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from resources.lake.lake import INDEX
from tests.captioners.openai.misbehaving_server import Act
from tests.faults.world import CLIPS, IN_FLIGHT, Lost, Run, World

Fault = Callable[[World, random.Random], int]
"""Does it, waits for the run it was done to, and returns how many answers may be paid twice for it."""


def _started(world: World, pace: random.Random, sent: int | None = None) -> Run:
    """A run at a moment of chance: after so many answers were paid, or at any time of its life."""
    run = world.start()
    if pace.random() < 0.5:
        wanted = pace.randint(1, CLIPS - 1) if sent is None else sent
        while run.code() is None and world.server.charged.total() < wanted:
            time.sleep(0.002)
        time.sleep(pace.uniform(0, 0.2))
    else:
        end = time.monotonic() + pace.uniform(0, 40 if world.whole else 7)
        while run.code() is None and time.monotonic() < end:
            time.sleep(0.01)
    return run


def _signal_one(number: signal.Signals, pid: int | None) -> None:
    with suppress(ProcessLookupError):
        if pid is not None:
            os.kill(pid, number)


def _child(run: Run, pace: random.Random) -> int | None:
    """A process that the run started: a decoder, a step, the server that forks them."""
    children = sorted(one.pid for one in run.session() if one.pid != run.pid)
    return pace.choice(children) if children else None


def kill_run(world: World, pace: random.Random) -> int:
    run = _started(world, pace)
    _signal_one(signal.SIGKILL, run.pid)
    world.finish(run)
    return IN_FLIGHT


def kill_child(world: World, pace: random.Random) -> int:
    run = _started(world, pace)
    _signal_one(signal.SIGKILL, _child(run, pace))
    world.finish(run)
    return IN_FLIGHT


def kill_all(world: World, pace: random.Random) -> int:
    run = _started(world, pace)
    for process in run.session():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    world.finish(run)
    return IN_FLIGHT


def kill_three_times(world: World, pace: random.Random) -> int:
    return sum(kill_run(world, pace) for _ in range(3))


def terminate(world: World, pace: random.Random) -> int:
    run = _started(world, pace)
    _signal_one(signal.SIGTERM, run.pid)
    world.finish(run)
    return IN_FLIGHT


def interrupt(world: World, pace: random.Random) -> int:
    run = _started(world, pace)
    _signal_one(signal.SIGINT, run.pid)
    world.finish(run)
    return IN_FLIGHT


def terminate_child(world: World, pace: random.Random) -> int:
    run = _started(world, pace)
    _signal_one(signal.SIGTERM, _child(run, pace))
    world.finish(run)
    return IN_FLIGHT


def stop_and_go_on(world: World, pace: random.Random) -> int:
    """A laptop's lid, a frozen container: nothing may be lost or bought again."""
    run = _started(world, pace)
    pid = pace.choice([run.pid, _child(run, pace) or run.pid])
    _signal_one(signal.SIGSTOP, pid)
    time.sleep(pace.uniform(0.2, 2))
    _signal_one(signal.SIGCONT, pid)
    world.finish(run)
    return 0


def server_drops(world: World, pace: random.Random) -> int:
    """The server hangs up in the middle of its answers, then is well again."""
    run = _started(world, pace)
    world.server.default = Act(drop=True)
    time.sleep(pace.uniform(0.2, 2))
    world.server.default = Act()
    world.finish(run)
    return 0


def server_refuses(world: World, pace: random.Random) -> int:
    world.server.default = Act(pace.choice([401, 429, 500, 503]), {"error": {"message": "on script"}})
    try:
        run = world.start()
        world.finish(run)
    finally:
        world.server.default = Act()
    return 0


def together(world: World, pace: random.Random) -> int:
    """Two or four runs over the same shards at once."""
    runs = [world.start() for _ in range(pace.choice([2, 2, 4]))]
    for run in runs:
        world.finish(run)
    return 0


def one_of_two_killed(world: World, pace: random.Random) -> int:
    first, second = world.start(), _started(world, pace)
    _signal_one(signal.SIGKILL, pace.choice([first, second]).pid)
    for run in (first, second):
        world.finish(run)
    return IN_FLIGHT


def journal_cut_short(world: World, pace: random.Random) -> int:
    """A power cut: the last block of a part is not there, or all zeros."""
    kill_run(world, pace)
    parts = sorted(world.home.glob("journal/*/*/*/*.jsonl"))
    if not parts:
        return IN_FLIGHT
    part = pace.choice(parts)
    content = part.read_bytes()
    kept = pace.randrange(len(content))
    part.write_bytes(content[:kept] + bytes(pace.choice([0, len(content) - kept])))
    return IN_FLIGHT + content[kept:].count(b"\n")


def journal_overwritten(world: World, pace: random.Random) -> int:
    """Some bytes of a part are others."""
    kill_run(world, pace)
    parts = sorted(world.home.glob("journal/*/*/*/*.jsonl"))
    if not parts:
        return IN_FLIGHT
    part = pace.choice(parts)
    content = bytearray(part.read_bytes())
    at = pace.randrange(len(content))
    content[at : at + 8] = pace.randbytes(8)
    part.write_bytes(content)
    _mended_as_told(world, part)
    return IN_FLIGHT + content.count(b"\n") + 1


def parquet_damaged(world: World, pace: random.Random) -> int:
    """A file of the lake is cut short or overwritten; what it held is asked for again, and a manifest put back."""
    kill_run(world, pace)
    files = sorted(path for path in world.home.glob("lake/*/*.parquet"))
    if not files:
        return IN_FLIGHT
    file = pace.choice(files)
    copy = file.read_bytes()
    at = pace.randrange(len(copy))
    file.write_bytes(copy[:at] + pace.choice([b"", pace.randbytes(len(copy) - at)]))
    _mended_as_told(world, file, copy if file.parent.name == INDEX else None)
    return CLIPS


def _mended_as_told(world: World, damaged: Path, copy: bytes | None = None) -> None:
    """The same command again: where it fails it has to name the file or its folder, which is then mended by hand."""
    run = world.start()
    if not world.finish(run):
        return
    if not {str(damaged), str(damaged.parent)} & set(re.split(r"[ ':,;()]", run.last_line())):
        raise Lost(f"the failure does not name the damaged {damaged}: {run.last_line()!r}")
    if copy is None:
        damaged.unlink()
    else:
        damaged.write_bytes(copy)


def warehouse_lost(world: World, pace: random.Random) -> int:
    kill_run(world, pace)
    (world.home / "vidcap.duckdb").unlink(missing_ok=True)
    return IN_FLIGHT


def history_lost(world: World, pace: random.Random) -> int:
    if not world.history.exists():
        world.begin_history()
    kill_run(world, pace)
    shutil.rmtree(world.history)
    world.begin_history()
    return IN_FLIGHT


def file_changed(world: World, pace: random.Random) -> int:
    """The collection file is edited in mid-run, and back before the next."""
    run = _started(world, pace)
    text = world.file.read_text()
    world.file.write_text(text.replace("What is it?", "What else is it?"))
    _signal_one(signal.SIGKILL, run.pid if pace.random() < 0.5 else None)
    world.finish(run)
    world.file.write_text(text)
    return IN_FLIGHT


def source_touched(world: World, pace: random.Random) -> int:
    """Files copied anew, with another time: their content was paid for."""
    kill_run(world, pace)
    for path in world.source.iterdir():
        os.utime(path)
    return IN_FLIGHT


def disk_full(world: World, pace: random.Random) -> int:
    """The home's own file system fills up in mid-run, and is cleared."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", world.home], check=True)
    run = _started(world, pace)
    with suppress(OSError), open(world.home / "full", "wb", buffering=0) as full:
        while full.write(bytes(4096)):
            pass
    world.finish(run)
    (world.home / "full").unlink()
    return IN_FLIGHT


def read_only(world: World, pace: random.Random) -> int:
    """The home cannot be written for the length of a run."""
    kill_run(world, pace)
    subprocess.run(["mount", "--bind", world.home, world.home], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", world.home], check=True)
    world.finish(world.start())
    subprocess.run(["umount", world.home], check=True)
    return IN_FLIGHT * 2


MOUNTS = (disk_full, read_only)
EVERY: tuple[Fault, ...] = (
    kill_run, kill_child, kill_all, kill_three_times, terminate, interrupt, terminate_child, stop_and_go_on,
    server_drops, server_refuses, together, one_of_two_killed, journal_cut_short, journal_overwritten,
    parquet_damaged, warehouse_lost, history_lost, file_changed, source_touched, *MOUNTS,
)  # fmt: skip
