"""Runs the command of a server, and ends all that it started as soon as its starter says so or is gone.

A script of its own that imports nothing of the package, so that it is there in a moment and outlives whoever started
it: ``python -I -S server_guard.py STARTER COMMAND…``, where ``STARTER`` is the process that is watched.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_LOOK_EVERY_S = 0.25
_GRACE_S = 10.0  # for a server to give back its devices
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # <sys/prctl.h>
_HEEDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


def main(starter: int, command: list[str]) -> int:
    """The server's exit status, once nothing of it is left."""
    libc = ctypes.CDLL(None)
    libc.prctl(
        _PR_SET_CHILD_SUBREAPER, 1
    )  # what the server starts and leaves behind becomes a child of this process
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEEDED)

    def begin() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEEDED)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    try:
        server = subprocess.Popen(command, preexec_fn=begin, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{command[0]} cannot be started: {error}", flush=True)
        return 127
    # A starter that is gone has passed this process on to another parent.
    while server.poll() is None and os.getppid() == starter:
        told = signal.sigtimedwait(_HEEDED, _LOOK_EVERY_S)
        if told is not None and told.si_signo != signal.SIGCHLD:
            break
    status = server.poll()
    end_descendants()
    return -signal.SIGTERM if status is None else status


def end_descendants() -> None:
    """Ask every process below this one to end, and kill after a while those that have not."""
    deadline = time.monotonic() + _GRACE_S
    asked: set[int] = set()
    while left := descendants():
        for pid in left:
            if time.monotonic() >= deadline:
                send(pid, signal.SIGKILL)
            elif pid not in asked:
                send(pid, signal.SIGTERM)
                asked.add(pid)
        reap()
        signal.sigtimedwait({signal.SIGCHLD}, 0.05)
    reap()


def descendants() -> list[int]:
    """Every process below this one that still runs."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended since the folder was listed
        if state not in "ZX":
            parents[int(stat.parent.name)] = int(parent)
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return sorted(below - {os.getpid()})


def send(pid: int, number: signal.Signals) -> None:
    """A signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def reap() -> None:
    """Take note of every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]) & 0xFF)
