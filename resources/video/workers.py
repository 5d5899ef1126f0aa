"""Child processes in which untrusted files are opened: a hang or crash costs one clip, never the step.

Decoders hang for ever on some files while they hold the interpreter lock, and abort the process on others,
so only a process with a deadline contains them. The children are fresh interpreters (no fork of a process
that has threads, CUDA or open decoders; no re-import of ``__main__``), each on its own socket: one that is
killed mid-answer cannot disturb another one's, and an idle one that dies is replaced at the next call.
"""

import os
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path
from typing import Any, Self, TypeVar

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.budget import PIXELS
from resources.video.wire import OWN_PACKAGE
from resources.video.worker import Worker, WorkerDied
from resources.video.worker_process import OUT_OF_MEMORY

T = TypeVar("T")

GIB = 1024**3
CLOSED = "these workers are closed"
PRELOAD = ("numpy", "av", "resources.video.decode")


class IsolatedWorkers:
    """A pool of killable child processes.

    Args:
        workers: how many children at most; each is started when first needed.
        timeout_s: wall-clock seconds one call may take before its child is killed.
        memory_limit_bytes: address space of a child (``RLIMIT_AS``); 0 for no limit.
        recycle_after: calls after which a child is replaced, which bounds slow leaks of the decoders.
        preload: modules a child imports when it starts.
        max_pixels: of one picture; ``None`` for the default of :class:`Budget`.

    :meth:`call` may be used from many threads at once. The children end with the pool, and with this
    process however it ends.
    """

    def __init__(
        self,
        workers: int,
        timeout_s: float = 120.0,
        memory_limit_bytes: int = 4 * GIB,
        recycle_after: int = 500,
        preload: tuple[str, ...] = PRELOAD,
        max_pixels: int | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"at least one worker is needed, not {workers}")
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be positive, not {timeout_s}")
        self.workers = workers
        self.timeout_s = timeout_s
        self._memory_limit_bytes = memory_limit_bytes
        self._recycle_after = recycle_after
        self._preload = preload
        self._environment = {} if max_pixels is None else {PIXELS: str(max_pixels)}
        self._slots = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False
        self._owner = os.getpid()
        # A child dies with the thread that started it: one thread, alive as long as the pool, starts all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="worker-starter")

    def call(self, function: Callable[..., T], *arguments: Any, timeout_s: float | None = None) -> T:
        """Run a module-level function in a child and return its result.

        The time spent waiting for a free child does not count as the call's. A call whose child died (not:
        was too slow) is tried once more in a new child, so that only a crash that repeats blames the clip.

        Raises:
            ClipError: whatever ClipError the function raised; ``decode_timeout`` where the deadline passed;
                ``decode_crash`` where the child died or ran out of its memory limit; ``internal`` for any
                other exception in the child.
            AnnotatorError: no child can be started.
            RuntimeError: the pool is closed.
        """
        request = pickle.dumps((function, arguments), protocol=5)
        packages = frozenset({OWN_PACKAGE, function.__module__.partition(".")[0]})
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        with self._slots:
            try:
                return self._call_once(request, limit_s, packages)
            except WorkerDied:
                try:
                    return self._call_once(request, limit_s, packages)
                except WorkerDied as death:
                    raise ClipError(ErrorKind.DECODE_CRASH, f"the decoding process {death}") from None

    def _call_once(self, request: bytes, limit_s: float, packages: frozenset[str]) -> Any:
        worker = self._take()
        is_sound = False
        try:
            reply = worker.ask(request, limit_s, packages)
            kind, message, remote_traceback = reply.get("failed", (None, "", ""))
            error_kind = ErrorKind(kind) if kind not in (None, OUT_OF_MEMORY) else None
            is_sound = kind != OUT_OF_MEMORY and error_kind is not ErrorKind.INTERNAL
        except (AttributeError, TypeError, ValueError) as error:
            raise WorkerDied(f"sent what cannot be read ({error})") from None
        except BaseException:
            self._require_open()
            raise
        finally:
            self._give_back(worker, is_sound)
        if kind is None:
            return reply.get("value")
        if error_kind is None:
            limit = self._memory_limit_bytes / GIB
            raise ClipError(ErrorKind.DECODE_CRASH, f"decoding needs more than the limit of {limit:.3g} GiB")
        failure = ClipError(error_kind, str(message))
        if error_kind is ErrorKind.INTERNAL:
            failure.add_note(f"In the worker:\n{remote_traceback}")
        raise failure

    def _take(self) -> Worker:
        with self._lock:
            self._require_open()
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive():
                    self._busy.add(worker)
                    return worker
                worker.kill()
            starting = self._starter.submit(
                Worker, self._memory_limit_bytes, self._preload, self._environment
            )
        worker = starting.result()
        with self._lock:
            if not self._closed:
                self._busy.add(worker)
                return worker
        worker.kill()
        raise RuntimeError(CLOSED)

    def _give_back(self, worker: Worker, is_sound: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
            if is_sound and not self._closed and worker.calls < self._recycle_after:
                self._idle.append(worker)
                return
        worker.kill()

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError(CLOSED)
        if os.getpid() != self._owner:
            raise RuntimeError("isolated workers serve the process that made them, not one forked from it")

    def close(self) -> None:
        """Kill every child; calls still running in other threads raise RuntimeError. May be called twice."""
        with self._lock:
            self._closed = True
            idle, busy = self._idle, list(self._busy)
            self._idle = []
        # A busy child belongs to the thread that waits for it; the child's end is what wakes that thread.
        for worker in busy:
            worker.signal_kill()
        for worker in idle:
            worker.kill()
        self._starter.shutdown(wait=True)
        for worker in busy:
            worker.reap()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def available_cores(root: Path = Path("/")) -> int:
    """Cores of this process's affinity, or fewer where a control group's CPU quota allows fewer; at least 1.

    A container that is limited to 4 CPUs of a 64-core host sees all 64 in its affinity; the quota (cgroup v2
    ``cpu.max``, v1 ``cpu.cfs_quota_us``) of any group around it is what it is held to. ``root`` is where /proc and
    /sys are.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *map(ceil, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Quotas in cores of the control groups from this process's own up to the root of what it can see."""
    membership = root / "proc/self/cgroup"
    for line in membership.read_text().splitlines() if membership.exists() else ():
        _, controllers, group = line.split(":", 2)
        base = root / "sys/fs/cgroup" / controllers
        own = base / group.strip("/")
        for level in (own, *own.parents[: len(own.parts) - len(base.parts)]):
            if (v2 := level / "cpu.max").exists():
                quota, period = v2.read_text().split()
            elif (v1 := level / "cpu.cfs_quota_us").exists():
                quota, period = v1.read_text().strip(), (level / "cpu.cfs_period_us").read_text()
            else:
                continue
            if quota not in ("max", "-1"):
                yield int(quota) / int(period)
