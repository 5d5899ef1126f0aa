"""A queue for a file that one process has at a time: first come, first served."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_DOOR = "door"


@contextmanager
def queued(folder: Path) -> Iterator[Callable[[], bool]]:
    """Stand in the queue of a local folder; the function yielded says whether it is this process's turn.

    A place is a numbered file that its process locks by ``flock``; the place of a dead process is skipped.
    A process that may not write into the folder, such as a reader with an account of its own, does not queue.
    """
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        yield lambda: True
        return
    folder.mkdir(exist_ok=True)
    door = os.open(folder / _DOOR, os.O_RDONLY | os.O_CREAT, 0o666)
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        number = max(_places(folder), default=0) + 1
        place = os.open(folder / str(number), os.O_RDONLY | os.O_CREAT, 0o666)
        fcntl.flock(place, fcntl.LOCK_EX)
    finally:
        os.close(door)

    def is_next() -> bool:
        # The last one before this one is the likeliest to be there still; then no other is looked at.
        before = sorted((one for one in _places(folder) if one < number), reverse=True)
        return not any(_is_held(folder / str(one)) for one in before)

    try:
        yield is_next
    finally:
        (folder / str(number)).unlink(missing_ok=True)
        os.close(place)


def _places(folder: Path) -> list[int]:
    return [int(name) for name in os.listdir(folder) if name != _DOOR]


def _is_held(place: Path) -> bool:
    """Is its process alive and still waiting? The place of a dead one is cleared away."""
    try:
        looked_at = os.open(place, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(looked_at, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(looked_at)
    place.unlink(missing_ok=True)
    return False
