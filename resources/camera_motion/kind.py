"""Camera motion as an entry of a collection file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Literal

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role, Scene


class CameraMotion(AnnotatorSettings):
    """Pan, tilt and zoom of each clip, as labels that may overlap (`pan_left+zoom_in`)."""

    icons: ClassVar[frozenset[str]] = frozenset({"opencv"})
    kind: Literal["camera_motion"] = "camera_motion"
    name: str = "camera_motion"
    threshold: float = Field(
        default=0.25, gt=0, lt=1, description="Share of the shorter side by which edges must move."
    )

    @property
    def key(self) -> str:
        """``camera`` for the one that the released contract names."""
        return "camera" if self.name == "camera_motion" else self.name

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        column = Column(
            "cmotion" if self.name == "camera_motion" else self.name, meaning="camera motion, joined by +"
        )
        return (Declaration(self.name, Role.LABEL, (column,), type(self).__doc__ or ""),)

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        from resources.camera_motion.annotator import CameraMotionAnnotator

        yield {self.name: CameraMotionAnnotator(scene.workers, self.threshold)}
