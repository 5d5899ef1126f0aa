"""The body of an isolated worker: ``python -m resources.video.worker_process FD PARENT LIMIT MODULE...``.

Started by :class:`resources.video.workers.IsolatedWorkers`, never by hand. It reads pickled calls from
the inherited socket ``FD`` and answers each; it ends when the socket closes, and the kernel kills it when
the thread that started it ends, even by ``SIGKILL``.
"""

import ctypes
import gc
import importlib
import json
import os
import pickle
import resource
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import Any

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.privileges import give_up_tracing
from resources.video.wire import encoded

READY = b"ready"
# Among the kinds of failure: the child met its memory limit.
OUT_OF_MEMORY = "memory"
PR_SET_PDEATHSIG = 1


def main(fd: int, parent: int, memory_limit_bytes: int, preload: list[str]) -> None:
    """Set the limits, import, say so, then serve until the other end closes."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_up_tracing()
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


def answer(request: bytes) -> dict[str, Any]:
    """``{"value": …}``, or ``{"failed": [kind of failure, message, traceback]}``."""
    try:
        function, arguments = pickle.loads(request)
        return {"value": function(*arguments)}
    except ClipError as error:
        return {"failed": [error.kind.value, error.message, ""]}
    except MemoryError as error:
        return {"failed": [OUT_OF_MEMORY, str(error), traceback.format_exc()]}
    except Exception as error:  # noqa: BLE001 - the caller gets every error of the function
        return {
            "failed": [ErrorKind.INTERNAL.value, f"{type(error).__name__}: {error}", traceback.format_exc()]
        }


def send_reply(connection: Connection, reply: dict[str, Any]) -> None:
    """Send the reply as JSON, and its pixels as one anonymous file in memory.

    The other end maps that file: pixels cross the border with one copy, and are freed with the array.
    """
    try:
        body, views = encoded(reply)
    except (TypeError, ValueError) as error:
        message = f"the result of a worker cannot be sent: {error}"
        body, views = encoded({"failed": [ErrorKind.INTERNAL.value, message, traceback.format_exc()]})
    sizes = [view.nbytes for view in views]
    connection.send_bytes(json.dumps(sizes).encode())
    connection.send_bytes(body)
    if any(sizes):
        with os.fdopen(os.memfd_create("vidcap-reply", os.MFD_ALLOW_SEALING), "wb") as memory:
            for view in views:
                memory.write(view)
            memory.flush()
            send_handle(connection, memory.fileno(), None)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), preload=sys.argv[4:])
