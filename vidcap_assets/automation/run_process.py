"""The process of a run: named in a tag of the run, followed into death by the processes of its steps."""

import ctypes
import multiprocessing
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import dagster as dg

TAG = "vidcap/process"
HOST_VARIABLE = "VIDCAP_HOST"
# Set by the executor in the process of a run, and so in those of its steps.
WITHIN_A_RUN = "VIDCAP_WITHIN_A_RUN"
_PROC = Path("/proc")
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def end_with_parent() -> None:
    """Let the kernel kill this process as soon as the one that started it ends, however it ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "a step cannot ask to be ended with its run (prctl)")


def follow_the_run() -> None:
    """Where this process is one that the executor started for a step, end with the process of the run.

    Called while the definitions are loaded, so before any work of the step. The parent of a step is the run's process
    or the server that forks its steps, which ends with it.
    """
    run = multiprocessing.parent_process()
    if run is None or WITHIN_A_RUN not in os.environ:
        return  # the process of a run is a child too, of a code server, which it outlives
    end_with_parent()
    if not run.is_alive():  # it ended before the line above
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class RunProcess:
    """A process that cannot be mistaken for another one with the same number.

    ``boot`` is the kernel's id of this boot, ``started`` the time the process began, in clock ticks after it (field 22
    of ``/proc/PID/stat``), ``host`` what the number is counted in (see :func:`this_host`).
    """

    boot: str
    pid: int
    started: int
    host: str

    @classmethod
    def current(cls) -> Self:
        """This process."""
        pid = os.getpid()
        started = _started(pid)
        assert started is not None
        return cls(_boot(), pid, started, this_host())

    @classmethod
    def of(cls, run: dg.DagsterRun) -> Self | None:
        """The process that said it works for this run; a run that is tried again has the tags of the first one too."""
        run_id, *words = run.tags.get(TAG, "").split(" ", 4)
        if run_id != run.run_id:
            return None
        boot, pid, started, host = words
        return cls(boot, int(pid), int(started), host)

    def tag(self, run_id: str) -> dict[str, str]:
        """The inverse of :meth:`of`."""
        return {TAG: f"{run_id} {self.boot} {self.pid} {self.started} {self.host}"}

    @property
    def is_elsewhere(self) -> bool:
        """Does it belong to another host, so that it is neither alive nor gone as far as can be told here?"""
        return self.host != this_host()

    @property
    def is_alive(self) -> bool:
        """Is it still there? Only for a process of this host."""
        return self.boot == _boot() and _started(self.pid) == self.started


def this_host() -> str:
    """``VIDCAP_HOST``, else the host's name; in a container with the id of its process numbers behind it.

    The numbers of a container mean nothing outside it, nor in the next container of the same name. Setting
    the variable says that there is never more than one of that name at a time.
    """
    if name := os.environ.get(HOST_VARIABLE):
        return name
    namespace = os.readlink(_PROC / "self" / "ns" / "pid")
    host = socket.gethostname()
    return host if namespace == _FIRST_PID_NAMESPACE else f"{host}/{namespace}"


def _boot() -> str:
    return (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    """``None`` where there is no such process, or only what is left of it until its parent looks (a zombie)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces and parentheses of its own.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])
