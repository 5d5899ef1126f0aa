"""The example as a user runs it: the embedded checkpoint behind `transformers serve`."""

import os
import runpy
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.kind import OpenAI

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "served-llava"


@pytest.fixture
def base_url(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("fastapi", reason="transformers serve needs the extra transformers[serving]")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    model = runpy.run_path(str(EXAMPLE / "compare.py"))["EMBEDDED"]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", model]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with open(tmp_path / "server.log", "wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=offline, stdout=log, stderr=log)
    try:
        _wait_until_healthy(server, f"http://127.0.0.1:{port}/health", tmp_path / "server.log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def _wait_until_healthy(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log.read_text()[-2000:]}")


def test_served_captions_equal_the_in_process_ones(base_url, monkeypatch):
    monkeypatch.chdir(ROOT)
    example = runpy.run_path(str(EXAMPLE / "compare.py"))
    results = example["compare"](base_url, example["EMBEDDED"], 3, 3)
    assert len(results) == 3
    assert all(result.in_process for result in results)
    assert [result.served for result in results] == [result.in_process for result in results]


def test_the_run_config_of_the_example_builds_a_captioner():
    config = yaml.safe_load((EXAMPLE / "run.yaml").read_text())["resources"]["gpt4v"]["config"]
    OpenAICaptioner(OpenAI(name="gpt4v", **config), None).close()
