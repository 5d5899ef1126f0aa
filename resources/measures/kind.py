"""The measures as an entry of a collection file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Literal

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role, Scene

ASSET = "measures"
MEANING = (
    "What can be told of a clip without a model: motion, cuts, sharpness, light, colour, black bars, hash."
)
COLUMNS = (
    ("motion", "DOUBLE", "mean optical flow, in shorter sides of the picture a second; NULL for an image"),
    ("still_share", "DOUBLE", "share of the clip in which nothing moves, 0 to 1; NULL for an image"),
    ("cuts", "BIGINT", "hard cuts inside the clip; NULL for an image"),
    ("sharpness", "DOUBLE", "variance of the Laplacian at 720 lines or less, in squares of gray levels"),
    ("brightness", "DOUBLE", "mean luma, 0 to 1"),
    ("contrast", "DOUBLE", "standard deviation of the luma, 0 to 0.5"),
    ("colourfulness", "DOUBLE", "Hasler and Süsstrunk's M3: 0 gray, 33 moderate, 109 extreme"),
    ("black_bars", "DOUBLE", "share of the area that is black bars, 0 to 1"),
    ("phash", "VARCHAR", "perceptual hash of the middle frame, 16 hex digits"),
)
NUMBERS = [name for name, type_, _ in COLUMNS if type_ != "VARCHAR"]


def declare(asset: str) -> Declaration:
    """The asset with its columns; another name than ``measures`` stands before each of them."""
    before = "" if asset == ASSET else f"{asset}_"
    columns = tuple(Column(before + name, type_, meaning, name) for name, type_, meaning in COLUMNS)
    return Declaration(asset, Role.SCORE, columns, MEANING)


class Measures(AnnotatorSettings):
    """Motion, cuts, sharpness, light, colour, black bars and a perceptual hash of each clip.

    Beside camera motion, `{kind: camera_motion, measures: true}` has the same columns from one pass over the files.
    """

    icons: ClassVar[frozenset[str]] = frozenset({"opencv"})
    kind: Literal["measures"] = "measures"
    name: str = ASSET

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        return (declare(self.name),)

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        from resources.measures.annotator import MeasuresAnnotator

        yield {self.name: MeasuresAnnotator(self.name, scene.workers, {})}
