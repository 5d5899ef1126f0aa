"""A real browser, driven over the WebDriver protocol; tests that need it are skipped where there is none."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_KEYS = {"Escape": "\ue00c", "ArrowRight": "\ue014"}


class Browser:
    """One window."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client, self._session = client, session

    def open(self, page: Path, fragment: str = "") -> None:
        self._post("url", {"url": page.absolute().as_uri() + fragment})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script body returns."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition: str, seconds: float = 120) -> None:
        """Until a JavaScript expression holds."""
        deadline = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < deadline, f"waited {seconds} s for {condition}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """One key, where the focus is."""
        value = _KEYS.get(key, key)
        strokes = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._post("actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def write(self, selector: str, text: str) -> None:
        """Type into a field."""
        element = self._post("element", {"using": "css selector", "value": selector})[_ELEMENT]
        self._post(f"element/{element}/value", {"text": text})

    def resize(self, width: int, height: int) -> None:
        """Give the page's viewport a size, as a phone has."""
        self._command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True
        )

    def prefer_dark(self) -> None:
        """What a dark desktop tells pages."""
        self._command(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
        )

    def console(self) -> list[str]:
        """Errors that the page caused since the last call."""
        entries = self._post("se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def picture(self, file: Path) -> None:
        """Keep a screenshot."""
        import base64

        file.write_bytes(
            base64.b64decode(self._value(self._client.get(f"/session/{self._session}/screenshot")))
        )

    def _command(self, name: str, **parameters: Any) -> None:
        self._post("goog/cdp/execute", {"cmd": name, "params": parameters})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._value(self._client.post(f"/session/{self._session}/{path}", json=body))

    @staticmethod
    def _value(answer: httpx.Response) -> Any:
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile."""
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with chromedriver here (Debian: apt-get install chromium chromium-driver)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as profile:
        process = subprocess.Popen(
            [driver, f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                _wait_for(client)
                options = {
                    "binary": program,
                    "args": [*_FLAGS, f"--user-data-dir={profile}", "--window-size=1280,900"],
                }
                capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
                started = client.post("/session", json={"capabilities": {"alwaysMatch": capabilities}})
                session = Browser._value(started)["sessionId"]
                try:
                    yield Browser(client, session)
                finally:
                    client.delete(f"/session/{session}")
        finally:
            # The driver may sit out a SIGTERM for ever while its browser is on the way out.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(client: httpx.Client) -> None:
    for _ in range(1200):
        try:
            if client.get("/status").json()["value"]["ready"]:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("chromedriver did not start")
