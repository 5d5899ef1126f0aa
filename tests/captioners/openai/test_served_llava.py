"""The example as a user runs it: the embedded checkpoint behind `transformers serve`."""

import runpy
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from numbered_clips import clips

from resources.annotation.loop import ShardReport
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.kind import OpenAI
from resources.engine.server import Server

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "served-llava"
SERVE = (
    shlex.join([sys.executable, "-m", "transformers.cli.transformers", "serve"])
    + " {model} --host 127.0.0.1 --port {port} --device cpu --dtype float32"
)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    pytest.importorskip("fastapi", reason="transformers serve needs the extra transformers[serving]")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    model = runpy.run_path(str(EXAMPLE / "compare.py"))["EMBEDDED"]
    server = Server(SERVE, model, 1, tmp_path / "server.log", 300.0)
    yield server
    server.close()


def test_served_captions_equal_the_in_process_ones(served: Server) -> None:
    served.start()
    example = runpy.run_path(str(EXAMPLE / "compare.py"))
    results = example["compare"](served.base_url, example["EMBEDDED"], 3, 3)
    assert len(results) == 3
    assert all(result.in_process for result in results)
    assert [result.served for result in results] == [result.in_process for result in results]


def test_a_server_that_dies_in_mid_run_loses_no_caption(
    served: Server, run: Callable[..., ShardReport], captioner: Callable[..., OpenAICaptioner]
) -> None:
    """The step starts it with the first clip, and once more for those that it takes down with it."""
    annotator = captioner(
        model=served.model,
        serve=SERVE,
        base_url=None,
        server=served,
        prices={},
        max_concurrency=2,
        timeout_s=300.0,
    )

    killed: list[int] = []

    def kill_once(progress: object) -> None:
        if served._process is not None and not killed:
            (server,) = psutil.Process(served._process.pid).children()
            killed.append(server.pid)
            server.kill()

    report = run(annotator, clips(6), tell=kill_once)
    assert report.outcomes["error"].to_pylist() == [None] * 6
    assert served._starts == 2
    assert set(report.outcomes["cost_usd"].to_pylist()) == {None}, "a server of one's own has no price"


def test_the_run_config_of_the_example_builds_a_captioner():
    config = yaml.safe_load((EXAMPLE / "run.yaml").read_text())["resources"]["gpt4v"]["config"]
    OpenAICaptioner(OpenAI(name="gpt4v", **config), None).close()
