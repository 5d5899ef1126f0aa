"""Which process of which machine this is, in words that outlive it: enough to prove later that it is gone."""

import os
import socket
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

HOST_VARIABLE = "VIDCAP_HOST"
_PROC = Path("/proc")
_FIRST_PID_NAMESPACE = "pid:[4026531836]"


class Presence(StrEnum):
    """What can be said of a process from here."""

    ALIVE = "alive"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that cannot be mistaken for another one with the same number.

    ``host`` names what the number is counted in (see :func:`this_host`), ``boot`` is the kernel's id of this
    boot, and ``started`` is the time the process began, in clock ticks after it (field 22 of ``/proc/PID/stat``).
    """

    host: str
    boot: str
    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """A process of this machine that is there.

        Raises:
            ProcessLookupError: there is no such process.
        """
        started = _started(pid)
        if started is None:
            raise ProcessLookupError(f"there is no process {pid}")
        return cls(this_host(), _boot(), pid, started)

    @classmethod
    def current(cls) -> Self:
        """This process."""
        return cls.of(os.getpid())

    @property
    def presence(self) -> Presence:
        """Is it still there? A process of another host is neither alive nor gone, as far as can be told here."""
        if self.host != this_host():
            return Presence.ELSEWHERE
        if self.boot != _boot() or _started(self.pid) != self.started:
            return Presence.GONE
        return Presence.ALIVE

    def to_json(self) -> dict[str, str | int]:
        """The inverse of ``ProcessIdentity(**values)``."""
        return asdict(self)


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
