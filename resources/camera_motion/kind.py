"""Camera motion as an entry of a collection file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Literal

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role, Scene
from resources.measures.kind import ASSET as MEASURES
from resources.measures.kind import declare


class CameraMotion(AnnotatorSettings):
    """Pan, tilt and zoom of each clip, as labels that may overlap (`pan_left+zoom_in`)."""

    icons: ClassVar[frozenset[str]] = frozenset({"opencv"})
    code_version: ClassVar[int] = 4
    indifferent: ClassVar[frozenset[str]] = frozenset({"measures"})
    kind: Literal["camera_motion"] = "camera_motion"
    name: str = "camera_motion"
    threshold: float = Field(
        default=0.25, gt=0, lt=1, description="Share of the shorter side by which edges must move."
    )

    measures: bool = Field(
        default=False,
        description="Also measure each clip on the same pass: the columns of the kind measures.",
    )

    @property
    def key(self) -> str:
        """``camera`` for the one that the released contract names."""
        return "camera" if self.name == "camera_motion" else self.name

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        column = Column(
            "cmotion" if self.name == "camera_motion" else self.name, meaning="camera motion, joined by +"
        )
        camera = Declaration(self.name, Role.LABEL, (column,), type(self).__doc__ or "")
        return (camera, declare(self._measures)) if self.measures else (camera,)

    @property
    def _measures(self) -> str:
        return MEASURES if self.name == "camera_motion" else f"{self.name}_{MEASURES}"

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        from resources.camera_motion.annotator import CameraMotionAnnotator
        from resources.measures.annotator import MeasuresAnnotator, Seen

        seen: Seen = {}
        yield {
            self.name: CameraMotionAnnotator(scene.workers, self.threshold, seen if self.measures else None),
            self._measures: MeasuresAnnotator(self._measures, scene.workers, seen),
        }
