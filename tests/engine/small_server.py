"""A server as they come: it starts a process in a session of its own, says ``/v1/models``, and dies when told to.

Usage: ``python small_server.py PORT MODEL NOTES``; in the file ``NOTES`` it writes the numbers of its processes.
"""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

port, model, notes = sys.argv[1:]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            os._exit(3)
        body = json.dumps({"data": [{"id": f"served-{os.path.basename(model)}"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


print("loading the weights", flush=True)
if model.endswith("broken"):
    print("there is not enough memory for the weights", flush=True)
    sys.exit(1)
worker = subprocess.Popen(["sleep", "1000"], start_new_session=True)
with open(notes, "a") as file:
    file.write(f"{os.getpid()} {worker.pid}\n")
HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
