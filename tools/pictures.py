"""Make the pictures of the README: the gallery of the demo, and its asset graph in Dagster's UI.

    .venv/bin/python -m tools.pictures [FOLDER]      # default: docs/pictures

Runs the demo into a temporary home, opens both pages in a headless Chromium (``chromium`` on the path), and writes
``gallery.png`` and ``assets.png``.
"""

import os
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120


def shoot(address: str, file: Path, width: int, height: int) -> None:
    """Write what a browser of this size shows at an address."""
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "--virtual-time-budget=20000",
        ]
        subprocess.run([*command, f"--screenshot={file}", address], check=True, stderr=subprocess.DEVNULL)


@contextmanager
def webserver(environment: dict[str, str]) -> Iterator[str]:
    """Dagster's webserver on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-m", "vidcap_assets.definitions"]
    server = subprocess.Popen([*command, "-h", "127.0.0.1", "-p", str(port)], cwd=ROOT, env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        end = monotonic() + PATIENCE_S
        while monotonic() < end:
            try:
                urllib.request.urlopen(f"{address}/server_info", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Run the demo and take both pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "pictures").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vidcap-pictures-") as temporary:
        home = Path(temporary, "home")
        history = Path(temporary, "dagster")
        history.mkdir()
        (history / "dagster.yaml").write_text(
            (ROOT / "dagster.yaml").read_text().replace(".dagster", temporary)
        )
        environment = {**os.environ, "VIDCAP_HOME": str(home), "DAGSTER_HOME": str(history)}
        for command in (["run", "demo"], ["report"]):
            subprocess.run(
                [sys.executable, "-m", "vidcap_assets.cli", *command], cwd=ROOT, env=environment, check=True
            )
        (gallery,) = home.rglob("reports/**/index.html")
        shoot(f"{gallery.as_uri()}#q=circle", folder / "gallery.png", 1300, 900)
        with webserver(environment) as address:
            shoot(f"{address}/asset-groups", folder / "assets.png", 1500, 900)


if __name__ == "__main__":
    main()
