import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from misbehaving_server import KEY, MisbehavingServer
from numbered_clips import NumberedFrames
from upath import UPath

from resources.annotation.clip import Clip
from resources.annotation.loop import LoopOptions, ShardReport, annotate_shard
from resources.annotation.store import ShardStore
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.kind import OpenAI


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as running:
        yield running


@pytest.fixture
def captioner(
    server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., OpenAICaptioner]]:
    """Builds captioners that talk to the server, impatient enough for tests."""
    built: list[OpenAICaptioner] = []
    monkeypatch.setenv("SERVER_KEY", KEY)

    def build(**changes: Any) -> OpenAICaptioner:
        settings: dict[str, Any] = {
            "name": "gpt4v",
            "model": "test-model",
            "base_url": server.base_url,
            "api_key": "{{ env.SERVER_KEY }}",
            "num_frames": 1,
            "prompt": "What is it?",
            "max_concurrency": 8,
            "prices": {"test-model": {"input": 10.0, "output": 100.0}},
            "timeout_s": 5.0,
        }
        around: dict[str, Any] = {"frames": NumberedFrames(), "backoff_s": 0.01}
        for name in changes.keys() - OpenAI.model_fields.keys():
            around[name] = changes.pop(name)
        built.append(OpenAICaptioner(OpenAI(**(settings | changes)), **around))
        return built[-1]

    yield build
    for each in built:
        each.close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., ShardReport]:
    """Runs the loop over clips with a captioner, in a store that later calls of the test find again."""

    def annotate(annotator: OpenAICaptioner, shard: list[Clip], **options: Any) -> ShardReport:
        store = ShardStore(
            UPath(tmp_path / "lake.parquet"), UPath(tmp_path / "journal"), shard="s", recipe=annotator.recipe
        )
        return annotate_shard(annotator, shard, store, LoopOptions(**({"log": lambda line: None} | options)))

    return annotate


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every logger at its most talkative: ours, openai's, the HTTP libraries' and asyncio's."""
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "asyncio", "anyio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog
