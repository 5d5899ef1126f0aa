"""One child process for :class:`resources.video.workers.IsolatedWorkers`, and the socket to it."""

import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

from resources.annotation.outcome import AnnotatorError, ClipError, ErrorKind
from resources.video import worker_process
from resources.video.privileges import shut_to_children
from resources.video.wire import Unreadable, decoded

START_TIMEOUT_S = 120.0
REAP_TIMEOUT_S = 10.0
_ONE_EACH = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX")
_INHERITED = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIDCAP_HOME", "VIDCAP_CACHE"}
)
# Without the pixels, which come beside it.
_LONGEST_REPLY = 64 * 1024**2


class WorkerDied(Exception):
    """The child ended by itself before it had answered; the text says how."""


class Worker:
    """One child process and the socket to it. Not for use by two threads at once."""

    def __init__(
        self, memory_limit_bytes: int, preload: tuple[str, ...], environment: dict[str, str]
    ) -> None:
        self.calls = 0
        self._ready = False
        ours, theirs = socket.socketpair()
        shut_to_children()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        with theirs:
            numbers = theirs.fileno(), os.getpid(), memory_limit_bytes
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", worker_process.__name__, *map(str, numbers), *preload],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                env=_child_environment() | environment,
            )
        self._connection = Connection(ours.detach())

    def is_alive(self) -> bool:
        """Has the child not ended yet?"""
        return self._process.poll() is None

    def ask(self, request: bytes, limit_s: float, packages: frozenset[str]) -> dict[str, Any]:
        """Send a pickled call and wait for the reply, ``limit_s`` seconds at most once the child is up.

        Raises:
            ClipError: ``decode_timeout``.
            WorkerDied: the child died, or sent what no honest one sends.
            AnnotatorError: the child never came up.
        """

        def reply_until(deadline: float) -> Connection:
            if not self._connection.poll(max(0.0, deadline - time.monotonic())):
                raise ClipError(ErrorKind.DECODE_TIMEOUT, f"decoding took longer than {limit_s:g} s")
            return self._connection

        self.calls += 1
        try:
            self._await_ready()
            deadline = time.monotonic() + limit_s
            self._connection.send_bytes(request)
            sizes = _sizes(reply_until(deadline).recv_bytes(_LONGEST_REPLY))
            body = reply_until(deadline).recv_bytes(_LONGEST_REPLY)
            if any(sizes):
                buffers = _mapped(recv_handle(reply_until(deadline)), sizes)
            else:
                buffers = [memoryview(bytearray())] * len(sizes)
            return decoded(body, buffers, packages)
        except Unreadable as error:
            self.signal_kill()
            raise WorkerDied(f"sent what cannot be read ({error})") from None
        except (EOFError, OSError):
            raise WorkerDied(self._how_it_died()) from None

    def _await_ready(self) -> None:
        if self._ready:
            return
        if not self._connection.poll(START_TIMEOUT_S):
            raise AnnotatorError(f"a decoding process did not start within {START_TIMEOUT_S:.0f} s")
        try:
            self._ready = self._connection.recv_bytes() == worker_process.READY
        except (EOFError, OSError):
            raise AnnotatorError(f"a decoding process could not start: it {self._how_it_died()}") from None

    def _how_it_died(self) -> str:
        """The socket closed: the child is ending by itself; give it a moment to leave its exit code."""
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.signal_kill()
            self._process.wait()
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._errors.seek(max(0, os.fstat(self._errors.fileno()).st_size - 500))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{how}: {lines[-1].strip()}" if lines else how

    def signal_kill(self) -> None:
        """Send SIGKILL; whoever waits for the child's answer learns of its end."""
        self._process.kill()

    def reap(self) -> None:
        """Wait until the child is gone; not for ever for one that the kernel holds in a read that never returns."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=REAP_TIMEOUT_S)

    def kill(self) -> None:
        """End the child, whatever it does, and close what belonged to it."""
        self.signal_kill()
        self.reap()
        self._connection.close()
        self._errors.close()


def _sizes(message: bytes) -> list[int]:
    try:
        sizes = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise Unreadable("the sizes of its buffers are none")
    return sizes


def _mapped(memory: int, sizes: Sequence[int]) -> list[memoryview]:
    """The buffers that lie one after the other in the file; it lives as long as any of them.

    The file is sealed first: one that its sender shortens afterwards would kill who reads it.
    """
    try:
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        whole = memoryview(mmap.mmap(memory, sum(sizes), access=mmap.ACCESS_COPY))
    except (OSError, ValueError, OverflowError) as error:
        raise Unreadable(f"its buffers cannot be mapped: {error}") from error
    finally:
        os.close(memory)
    ends = list(accumulate(sizes))
    return [whole[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _child_environment() -> dict[str, str]:
    """The little of the environment that a decoder needs, for maths in one thread (the pool is the parallelism).

    Nothing else goes along, whatever its name: the children read files that nobody vouches for.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(("LC_", "PYTHON", "COVERAGE_"))
    }
    single_threaded = dict.fromkeys(_ONE_EACH, "1")
    import_path = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {**inherited, **single_threaded, "PYTHONPATH": import_path}
