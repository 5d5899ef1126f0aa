"""The short way to an annotator of one's own: a number, or several, computed from some frames of a clip."""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role, Scene
from resources.annotation.outcome import Answer
from resources.annotation.recipe import Recipe
from resources.video.sampling import FrameRule, RuleKind

if TYPE_CHECKING:
    import numpy as np


class FrameScore(AnnotatorSettings):
    """A number from the pixels of ``num_frames`` evenly spaced frames: the column and the asset ``<name>``."""

    num_frames: int = Field(default=8, gt=0, description="Evenly spaced frames of a video; an image is one.")

    @abstractmethod
    def score(self, images: "np.ndarray") -> float:
        """The number, from (T, H, W, 3) uint8 RGB."""

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        meaning = (type(self).__doc__ or "").partition("\n")[0]
        return (Declaration(self.name, Role.SCORE, (Column(self.name, "DOUBLE", meaning),), meaning),)

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        yield {self.name: _Scorer(self, scene)}


class _Scorer(Annotator):
    batch_size = 16

    def __init__(self, settings: FrameScore, scene: Scene) -> None:
        self._settings, self._scene = settings, scene

    @property
    def recipe(self) -> Recipe:
        apart = {"kind": self._settings.kind, "code_version": self._settings.code_version}
        return Recipe(self._settings.name, {**self._settings.own(), **apart})

    def prepare(self, clip: Clip) -> float:
        rule = FrameRule(RuleKind.LINSPACE, self._settings.num_frames)
        return self._settings.score(
            self._scene.frames.read(clip.path, clip.kind, rule.within(clip.span)).images
        )

    def annotate(self, batch: Sequence[float]) -> list[Answer]:
        return [Answer(json.dumps(score)) for score in batch]
