"""The program that :mod:`resources.engine.split_engine` starts for each part of a split model.

It imports nothing heavy before it watches its parent, so that a rank whose parent dies ends within a second
even while it is still starting.
"""

import os
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection

PARENT_POLL_S = 0.5


def main(descriptor: int, parent: int) -> None:
    """Answer over the socket ``descriptor`` until it closes or the process ``parent`` is gone."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    code = 1
    try:
        from resources.engine.rank import serve

        serve(Connection(descriptor))
        code = 0
    except Exception:  # noqa: BLE001 - printed for the parent, which quotes it
        traceback.print_exc()
    sys.stderr.flush()
    # The other ranks may be waiting in a collective; a clean shutdown would wait for them.
    os._exit(code)


def _end_with(parent: int) -> None:
    """End this process soon after its parent, even in the middle of a collective."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
