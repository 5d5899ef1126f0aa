"""A model that a command of the user's serves on this machine, for as long as somebody here asks it."""

import json
import logging
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resources.annotation.outcome import AnnotatorError, SetupError
from resources.engine.device_lease import DeviceLease, lease_devices, visible_devices
from resources.engine.placement import cuda_is_usable

GUARD = Path(__file__).with_name("server_guard.py")
_LOOK_EVERY_S = 0.5
_RESTARTS = 1
_LAST_LINES = 12
_MOST_OF_LOG = 4000  # bytes at its end
_log = logging.getLogger(__name__)


@dataclass
class Server:
    """A server with an OpenAI API, started by :meth:`start` and ended with this process, however that ends.

    Args:
        command: what starts it, with ``{model}``, ``{port}`` and ``{devices}`` to be filled in.
        model: the folder or hub id that stands for ``{model}``.
        devices: how many GPUs it gets, leased as models in this process lease them; none where there are none.
        log_file: everything it writes.
        ready_s: how long it may take to load.
        note: told in a line what happens.
    """

    command: str
    model: str
    devices: int
    log_file: Path
    ready_s: float
    note: Callable[[str], None] = _log.info

    def __post_init__(self) -> None:
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._lease: DeviceLease | None = None
        self._starts = 0
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """Where it answers, the same after a restart."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def is_up(self) -> bool:
        """Does it run, as far as its process tells?"""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make sure that it runs and answers; where it has died since the last time, start it once more.

        Raises:
            AnnotatorError: it does not come up, or died twice; with the last lines that it wrote.
        """
        with self._lock:
            if self.is_up and self._comes_up():
                return
            if self._starts > _RESTARTS:
                raise self._fault(f"died {self._starts} times")
            if self._starts:
                self.note(f"the server of '{self.model}' died and is started again; its log: {self.log_file}")
            self._starts += 1
            self._launch()
            if not self._comes_up():
                raise self._fault("ended before it was ready")

    def close(self) -> None:
        """End it with everything it started, and give back the devices."""
        with self._lock:
            if self._process is not None:
                self._process.terminate()
                self._process.wait()
                self._process = None
            if self._lease is not None:
                self._lease.release()
                self._lease = None

    def _launch(self) -> None:
        environment = dict(os.environ)
        if cuda_is_usable():
            import torch

            names = visible_devices(torch.cuda.device_count())
            self._lease = self._lease or lease_devices(names, self.devices)
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(names[index] for index in self._lease.indices)
        filled = {"{model}": self.model, "{port}": str(self._port), "{devices}": str(self.devices)}
        words = shlex.split(self.command)
        for slot, value in filled.items():
            words = [word.replace(slot, value) for word in words]
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self.note(f"starting {shlex.join(words)}; its log: {self.log_file}")
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The devices stay leased until the guard has ended the last process on them.
                pass_fds=self._lease.descriptors if self._lease else (),
            )

    def _comes_up(self) -> bool:
        """Wait until it is ready, or has ended."""
        started = time.monotonic()
        while not _is_ready(self.base_url):
            if not self.is_up:
                return False
            if time.monotonic() - started > self.ready_s:
                self._process.terminate()  # type: ignore[union-attr]  # it is up
                raise self._fault(f"was not ready within {self.ready_s:g} s")
            time.sleep(_LOOK_EVERY_S)
        return True

    def model_name(self) -> str:
        """What the server calls the model.

        Its own name for it where it serves one model only; servers that load whatever they are asked for go by the
        folder or hub id.
        """
        names = served_models(self.base_url, timeout_s=30.0) or []
        return names[0] if len(names) == 1 else self.model

    def _fault(self, what: str) -> AnnotatorError:
        lines = self.log_file.read_bytes()[-_MOST_OF_LOG:].decode(errors="replace").splitlines()
        said = "\n".join(lines[-_LAST_LINES:])
        return SetupError(
            f"the server of '{self.model}' {what}; mend the command in serve. The end of its log "
            f"{self.log_file}:\n{said}"
        )


def served_models(base_url: str, api_key: str = "", timeout_s: float = 5.0) -> list[str] | None:
    """The names that ``/v1/models`` lists, ``None`` where nothing that speaks this API answers there."""
    request = urllib.request.Request(f"{base_url.rstrip('/')}/models")
    if api_key:
        request.add_header("Authorization", f"Bearer {api_key}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return [str(model["id"]) for model in json.load(response)["data"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_ready(base_url: str) -> bool:
    """``transformers serve`` lists the hub's cache under ``/v1/models``, and fails where there is none."""
    if served_models(base_url) is not None:
        return True
    try:
        with urllib.request.urlopen(f"{base_url.removesuffix('/v1')}/health", timeout=5.0):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
