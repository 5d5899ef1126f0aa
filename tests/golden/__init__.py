"""What the original programs gave on tiny random checkpoints in the real layouts.

``golden_pllava.json`` and ``.npz`` hold, for eleven cases, what transformers 4.37.1 and peft 0.10.0 computed
in float32 with eager attention; ``clips`` their frames without loss; ``golden_tag_parse.json`` what the
original parser made of model answers, its faults included; ``expected_keys_pllava_13b.json`` the weights of a
real release.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resources.annotation.clip import Clip, Kind
from resources.video.sampling import FrameRule

GOLDEN = Path(__file__).parent
MODELS = GOLDEN / "models"
FPS = 8.0


@dataclass
class PngFrames:
    images: np.ndarray
    indices: list[int]
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def times_s(self) -> list[float]:
        return [index / FPS for index in self.indices]


class PngReader:
    """Reads a folder of numbered pictures as a clip of eight frames a second, and one picture as an image."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, path: Path, kind: Kind, rule: FrameRule) -> PngFrames:
        self.reads += 1
        files = sorted(path.glob("*.png")) if path.is_dir() else [path]
        indices = rule.indices(len(files))
        return PngFrames(np.stack([np.array(Image.open(files[i]).convert("RGB")) for i in indices]), indices)


def golden_clip(name: str, **fields: Any) -> Clip:
    return Clip(name, GOLDEN / "clips" / name, content_id=name, **fields)


@cache
def golden_json(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


@cache
def golden_arrays() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "golden_pllava.npz") as arrays:
        return dict(arrays)


def golden_cases() -> list[dict[str, Any]]:
    return golden_json("golden_pllava.json")["cases"]


def golden_system() -> str:
    """The system text that the goldens were made with."""
    return golden_json("golden_pllava.json")["prompt"].split(" USER:")[0]
