"""Which process may use which GPU: one file lock a device, given back by the system when its holder dies."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from resources.annotation.outcome import AnnotatorError
from resources.engine.fingerprint import default_cache

POLL_S = 0.5


class DeviceLease:
    """Devices held by this process until :meth:`release` or its death.

    ``indices`` are numbers among the visible devices, as ``cuda:N`` counts them.
    """

    def __init__(self, indices: Sequence[int], locks: Sequence[FileLock]) -> None:
        self.indices = tuple(indices)
        self._locks = tuple(locks)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The open files that hold the locks; a child that inherits them holds the devices too, until both let go."""
        return tuple(
            lock._context.lock_file_fd for lock in self._locks if lock._context.lock_file_fd is not None
        )

    def release(self) -> None:
        """Let other processes have the devices."""
        for lock in self._locks:
            lock.release()


def visible_devices(device_count: int) -> list[str]:
    """The machine-wide name of each visible device: what ``CUDA_VISIBLE_DEVICES`` lists, else its number.

    Two processes that hide different devices so agree on what each lock stands for.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return [str(index) for index in range(device_count)]
    return [name.strip() for name in listed.split(",") if name.strip()][:device_count]


def lease_devices(
    names: Sequence[str],
    count: int = 1,
    wanted: int | None = None,
    timeout_s: float = 3600.0,
    folder: Path | None = None,
) -> DeviceLease:
    """Wait until ``count`` of the named devices are free together, and hold them.

    ``wanted`` asks for that one device of ``names`` instead. All or nothing: a process that waits for two
    devices never sits on one. Locks are ``flock``\\ s, so those of a killed process are free at once.

    Raises:
        AnnotatorError: there are too few devices, or none became free within ``timeout_s``.
    """
    if count > len(names) or (wanted is not None and wanted >= len(names)):
        needed = f"cuda:{wanted}" if wanted is not None else f"{count} device(s)"
        raise AnnotatorError(
            f"{needed} asked for, but only {len(names)} visible ({', '.join(names) or 'none'})"
        )
    candidates = list(range(len(names))) if wanted is None else [wanted]
    folder = folder or default_cache() / "device-leases"
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    while (lease := _try_lease(folder, names, candidates, count)) is None:
        if time.monotonic() >= deadline:
            holders = ", ".join(f"{names[i]}: {_holder(folder, names[i])}" for i in candidates)
            raise AnnotatorError(f"no {count} free device(s) within {timeout_s:g} s; held by {holders}")
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
    return lease


def _try_lease(
    folder: Path, names: Sequence[str], candidates: Sequence[int], count: int
) -> DeviceLease | None:
    indices: list[int] = []
    locks: list[FileLock] = []
    for index in candidates:
        lock = FileLock(_lock_file(folder, names[index]), thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        indices.append(index)
        locks.append(lock)
        if len(locks) == count:
            for held in indices:
                _lock_file(folder, names[held]).with_suffix(".pid").write_text(str(os.getpid()))
            return DeviceLease(indices, locks)
    for lock in locks:
        lock.release()
    return None


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '_')}.lock"


def _holder(folder: Path, name: str) -> str:
    path = _lock_file(folder, name).with_suffix(".pid")
    return f"process {path.read_text()}" if path.exists() else "an unknown process"
