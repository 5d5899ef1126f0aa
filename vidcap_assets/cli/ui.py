"""``vidcap ui``."""

import socket
import subprocess
import sys
from typing import Annotated

import typer

from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.job_run import dagster_environment, definitions
from vidcap_assets.cli.output import Json, console, fail, print_result


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web server.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_json: Json = False,
) -> None:
    """Open Dagster's web interface: asset graph, partitions, runs, logs. Ctrl-C ends it."""
    collection()
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-m", definitions()]
    command += ["-p", str(port), "-h", host]
    address = f"http://{host}:{port}"
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        fail(f"cannot serve on {address}: {error.strerror}; another --port may be free")
    print_result({"address": address})
    console.print(address)
    with subprocess.Popen(command, env=dagster_environment()) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # The server got the same signal; it ends its own processes before it ends.
            process.wait()
            code = 0
    raise typer.Exit(1 if code else 0)
