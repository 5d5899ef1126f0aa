"""A step that starts a server, says so, and then works for ever. Usage: as ``small_server.py``, without the port."""

import sys
import threading
from pathlib import Path

from resources.engine.server import Server
from tests.engine.test_server import COMMAND

model, notes, log = sys.argv[1:]
server = Server(f"{COMMAND} {notes}", model, 1, Path(log), 60.0)
server.start()
print("ready", flush=True)
threading.Event().wait()
