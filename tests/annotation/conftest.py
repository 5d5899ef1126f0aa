from collections.abc import Callable
from pathlib import Path

import pytest

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.loop import LoopOptions, ShardReport, annotate_shard
from resources.lake.lake import Lake

SHARD = "shard-00000"


def make_clips(count: int, **fields) -> list[Clip]:
    return [
        Clip(f"clip-{i}", Path(f"/videos/{i}.mp4"), content_id=f"content-{i}", **fields) for i in range(count)
    ]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def run(lake: Lake) -> Callable[..., ShardReport]:
    def run(annotator: Annotator, clips: list[Clip], **options) -> ShardReport:
        options.setdefault("log", lambda line: None)
        return annotate_shard(annotator, clips, lake.store(annotator.recipe, SHARD), LoopOptions(**options))

    return run
