from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resources.video import FrameReader, IsolatedWorkers
from tests.video.kinds import KINDS
from tests.video.media import Recipe

Maker = Callable[..., Path]


@pytest.fixture(scope="session")
def workers() -> Iterator[IsolatedWorkers]:
    with IsolatedWorkers(2, timeout_s=60) as pool:
        yield pool


@pytest.fixture(scope="session")
def reader(workers: IsolatedWorkers) -> FrameReader:
    return FrameReader(workers)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """``clip("h264.mp4")`` writes a clip of that kind, once a session."""
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, recipe: Recipe | None = None) -> Path:
        path = folder / name
        if not path.exists():
            (recipe or KINDS[name]).write(path)
        return path

    return make
