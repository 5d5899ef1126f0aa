"""Clips of the demo world that no model was trained on, and whether a caption says what they show."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tools.demo_world.clips import TRUTH_FILE, Truth, render_clip, write_truths
from tools.demo_world.scene import random_scene
from tools.demo_world.world import ACTIONS, BACKGROUNDS, COLOURS, SHAPES, SIZES, SURFACES, Slots


def render_clips(folder: Path, count: int, seed: int, *, surfaces: float = 0.1) -> list[Truth]:
    """Render random clips into ``folder``, all decided by ``seed``; ``surfaces`` is the share of textured surfaces.

    Demo clips and training scenes use other seeds. Writes the ground truth file beside them and returns it.
    """
    rng = np.random.default_rng((seed, 0xC11B))
    truths = []
    for i in range(count):
        scene = random_scene(rng, surface=bool(rng.random() < surfaces))
        truths.append(render_clip(folder, f"clip-{i:04d}.mp4", scene, rng))
    write_truths(folder, truths)
    return truths


def read_truths(folder: Path) -> list[Truth]:
    """The ground truth of a rendered folder, in the order of its file names."""
    return [_truth_of(row) for row in json.loads((folder / TRUTH_FILE).read_text())["clips"]]


def _truth_of(row: dict) -> Truth:
    known = {name: row[name] for name in Truth.__dataclass_fields__}
    for name in ("slots", "still_slots"):
        known[name] = Slots(**row[name]) if row[name] else None
    return Truth(**known)


def agreement(truth: Slots, said: Slots | None) -> dict[str, bool]:
    """Slot by slot, does a captioner (``None`` where it made no sense) say the same?"""
    return {name: said is not None and getattr(said, name) == value for name, value in asdict(truth).items()}


def _any(words: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, words))


_OBJECT = re.compile(
    rf"An? (?:(?P<size>{_any(SIZES)}) )?(?P<colour>{_any(tuple(COLOURS))}) (?P<shape>{_any(SHAPES)})"
    rf"(?: (?P<action>{_any(ACTIONS)}))? on a (?P<background>{_any(tuple(BACKGROUNDS))}) background\."
)
_SURFACE = re.compile(rf"The camera looks over a textured (?P<background>{_any(SURFACES)}) surface\.")


def parse(caption: str) -> Slots | None:
    """The slots of a caption, or ``None`` where it is not a sentence of this world."""
    match = _OBJECT.fullmatch(caption.strip()) or _SURFACE.fullmatch(caption.strip())
    return Slots(**match.groupdict()) if match else None
