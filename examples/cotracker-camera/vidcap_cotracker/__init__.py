"""Camera motion by CoTracker, as a kind of annotator: what an entry of a collection file says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role, Scene


class CoTracker(AnnotatorSettings):
    """Pan, tilt and zoom of each clip, by the points that a CoTracker checkpoint follows."""

    pool: ClassVar[str | None] = "gpu"
    kind: Literal["cotracker"] = "cotracker"
    name: str = "cotracker"
    checkpoint: Path = Field(
        description="A .pth file as published (scaled_offline.pth, cotracker2.pth); its name tells the architecture."
    )
    threshold: float = Field(
        default=0.25, gt=0, lt=1, description="Share of the shorter side by which edges must move."
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        column = Column(self.name, meaning="camera motion by CoTracker, joined by +")
        return (Declaration(self.name, Role.LABEL, (column,), type(self).__doc__ or ""),)

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        from vidcap_cotracker.annotator import CoTrackerAnnotator

        annotator = CoTrackerAnnotator(scene.frames, self.checkpoint, self.threshold, self.device)
        try:
            yield {self.name: annotator}
        finally:
            annotator.close()
