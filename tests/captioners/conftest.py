from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resources.captioners.kinds import Pllava
from resources.captioners.pllava import PllavaCaptioner
from tests.golden import MODELS, PngReader, golden_system
from tests.golden.one_thread import one_thread  # noqa: F401 - a fixture for all tests here


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def pllava_settings(values: dict[str, Any]) -> Pllava:
    """The entry of a collection file; paths may be given as such."""
    return Pllava.model_validate({k: str(v) if isinstance(v, Path) else v for k, v in values.items()})


@pytest.fixture
def pllava(cache: Path) -> Callable[..., PllavaCaptioner]:
    """Build a captioner on the small golden checkpoint; keyword arguments replace its settings."""

    def build(case: dict[str, Any] | None = None, **changes: Any) -> PllavaCaptioner:
        settings: dict[str, Any] = {
            "model": MODELS / "pllava_full56",
            "pooling_shape": (4, 2, 2),
            "num_frames": 4,
            "prompt": golden_system(),
            "max_new_tokens": 32,
            "device": "cpu",
            "dtype": "float32",
        }
        if case is not None:
            settings |= {
                "model": MODELS / case["repo"],
                "adapter": MODELS / case["weight_dir"],
                "lora_alpha": case["lora_alpha"],
                "num_frames": case["num_frames"],
                "pooling_shape": case["pooling_shape"],
            }
        return PllavaCaptioner(pllava_settings(settings | changes), PngReader(), cache)

    return build
