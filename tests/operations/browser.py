"""The system's Chromium without a window, driven by its own debugging protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TEXT = "const text = () => document.body ? document.body.innerText : '';"
_CLICK = """(() => {
    const rows = [...document.querySelectorAll('tr')].filter(row => row.innerText.includes(%s));
    const inside = rows.flatMap(row => [...row.querySelectorAll('button, a, span, div')]);
    const found = inside.filter(one => one.innerText.includes(%s)).at(-1);
    if (found) found.click();
    return !!found;
})()"""


class Page:
    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser, self._session = browser, session

    def evaluate(self, expression: str) -> Any:
        # In a block of its own, so that each evaluation can declare what it needs.
        script = f"{{ {_TEXT} {expression} }}"
        parameters = {"expression": script, "returnByValue": True}
        return self._browser.call("Runtime.evaluate", parameters, self._session)["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 90) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}\n{self.evaluate('text()')}"
            time.sleep(0.5)

    def click_beside(self, row: str, button: str) -> None:
        """Click the button of this text in the table row that holds ``row``."""
        self.wait_for(_CLICK % (json.dumps(row), json.dumps(button)))

    def screenshot(self, name: str) -> Path:
        picture = self._browser.call("Page.captureScreenshot", {"format": "png"}, self._session)["data"]
        path = self._browser.folder / f"{name}.png"
        path.write_bytes(base64.b64decode(picture))
        assert path.stat().st_size > 10_000, "an empty page"
        return path


class Browser:
    def __init__(self, folder: Path, socket: Any) -> None:
        self.folder, self._socket = folder, socket
        self._numbers = itertools.count(1)

    def page(self, url: str) -> Page:
        target = self.call("Target.createTarget", {"url": url})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        return Page(self, attached["sessionId"])

    def call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Chromium with a fresh profile; skips the test where there is none."""
    program = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(_NAMES)} is installed")
    connect = pytest.importorskip("websockets.sync.client").connect
    profile = folder / "profile"
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "--window-size=1500,1000",
        "about:blank",
    ]
    with (
        open(folder / "browser.log", "wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            port, path = _debugging_address(process, profile / "DevToolsActivePort")
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as socket:
                yield Browser(folder, socket)
        finally:
            process.terminate()


def _debugging_address(process: subprocess.Popen, file: Path) -> tuple[str, str]:
    deadline = time.monotonic() + 60
    while not file.exists() or len(file.read_text().splitlines()) < 2:
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < deadline, "the browser did not start"
        time.sleep(0.1)
    port, path = file.read_text().splitlines()[:2]
    return port, path
