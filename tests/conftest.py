import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """No test leaves variables behind: commands set some for the processes that they start."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Write a tiny H.264 file whose content depends on ``seed``."""
    import av
    import numpy as np

    def write(path: Path, seed: int = 0, frames: int = 6, size: int = 32, fps: int = 12) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 255, (size, size, 3), np.uint8)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
            stream.width = stream.height = size
            stream.pix_fmt = "yuv420p"
            for shift in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, shift, axis=1))))
            container.mux(stream.encode())
        return path

    return write


_LONGEST = {"e2e": 0, "cli": 1, "collection": 2, "examples": 3}
"""Folders of tests that run whole jobs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no process is left with them at the end."""
    items.sort(key=lambda item: min(_LONGEST.get(part, len(_LONGEST)) for part in item.path.parts))
