"""The body of an isolated worker: ``python -m resources.video.worker_process FD PARENT LIMIT MODULE...``.

Started by :class:`resources.video.workers.IsolatedWorkers`, never by hand. It reads pickled calls from
the inherited socket ``FD`` and answers each; it ends when the socket closes, and the kernel kills it when
the thread that started it ends, even by ``SIGKILL``.
"""

import ctypes
import gc
import importlib
import os
import pickle
import resource
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import Any

from resources.annotation.outcome import ClipError

READY = b"ready"
PR_SET_PDEATHSIG = 1


def main(fd: int, parent: int, memory_limit_bytes: int, preload: list[str]) -> None:
    """Set the limits, import, say so, then serve until the other end closes."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory_limit_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for module in preload:
        importlib.import_module(module)
    gc.freeze()
    connection = Connection(fd)
    connection.send_bytes(READY)
    serve(connection)


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent goes; leave at once if it is gone already."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        raise SystemExit(1)


def serve(connection: Connection) -> None:
    """Answer calls until the other end closes.

    Containers and decoders are parts of reference cycles; left to themselves, dozens of them pile up, each with
    its frames, until the next clip meets the memory limit.
    """
    while True:
        try:
            request = connection.recv_bytes()
        except EOFError:
            return
        send_reply(connection, answer(request))
        gc.collect()


def answer(request: bytes) -> tuple[bool, Any]:
    """(True, result) or (False, (exception, its traceback as text)).

    The exception is a ClipError, a MemoryError, or a RuntimeError that names any other: these can be
    unpickled wherever they arrive.
    """
    try:
        function, arguments = pickle.loads(request)
        return True, function(*arguments)
    except ClipError as error:
        return False, (error, "")
    except MemoryError as error:
        return False, (MemoryError(str(error)), traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - the caller gets every error of the function
        return False, (RuntimeError(f"{type(error).__name__}: {error}"), traceback.format_exc())


def send_reply(connection: Connection, reply: tuple[bool, Any]) -> None:
    """Send the pickle, and the large buffers in it (pixels) as one anonymous file in memory.

    The other end maps that file: pixels cross the border with one copy, and are freed with the array.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        body = pickle.dumps(reply, protocol=5, buffer_callback=buffers.append)
    except Exception as error:  # noqa: BLE001 - pickling runs foreign code
        buffers = []
        substitute = RuntimeError(f"the result or exception of a worker cannot be pickled: {error}")
        body = pickle.dumps((False, (substitute, traceback.format_exc())), protocol=5)
    views = [buffer.raw() for buffer in buffers]
    connection.send_bytes(pickle.dumps((body, [view.nbytes for view in views])))
    if any(view.nbytes for view in views):
        with os.fdopen(os.memfd_create("vidcap-reply"), "wb") as memory:
            for view in views:
                memory.write(view)
            memory.flush()
            send_handle(connection, memory.fileno(), None)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), preload=sys.argv[4:])
