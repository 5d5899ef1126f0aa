"""Text on screen: subtitles, watermarks, interfaces, read by the small models that RapidOCR's wheel brings along."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role, Scene
from resources.annotation.outcome import Answer
from resources.annotation.recipe import Recipe
from resources.video.sampling import FrameRule, RuleKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORT_SIDE = 720
"""Pixels of the shorter side of the frames that are read; larger ones are shrunk to it."""
LEAST_LETTERS = 2
"""A single letter is more often a shape that looks like one."""


@dataclass(frozen=True)
class Seen:
    """What is written in a frame, and the share of its area that it takes, 0 to 1."""

    words: list[str]
    area: float


class Ocr(AnnotatorSettings):
    """Text on screen: whether there is any, how much of the picture it takes, what it says."""

    kind: Literal["ocr"] = "ocr"
    name: str = "ocr"
    num_frames: int = Field(default=4, gt=0, description="Evenly spaced frames of a video; an image is one.")
    min_score: float = Field(
        default=0.7, ge=0, le=1, description="How sure the reader must be of a line, 0 to 1."
    )

    def missing(self) -> str | None:  # noqa: D102
        there = find_spec("rapidocr") and find_spec("onnxruntime")
        return None if there else "text on screen is read by RapidOCR: pip install 'vidcap[ocr]'"

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        before = "" if self.name == "ocr" else f"{self.name}_"
        columns = (
            Column(f"{before}text_found", "BOOLEAN", "is there text in a frame?", "text_found"),
            Column(f"{before}text_area", "DOUBLE", "share of the picture, mean over the frames", "text_area"),
            Column(f"{before}text_words", "VARCHAR", "the lines that were read, each once", "text_words"),
        )
        return (Declaration(self.name, Role.SCORE, columns, type(self).__doc__ or ""),)

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        yield {self.name: TextOnScreen(self, scene)}


class TextOnScreen(Annotator):
    """Reads the text in frames of clips; value: the lines as a JSON list, details: the columns and more."""

    batch_size = 4

    def __init__(self, settings: Ocr, scene: Scene) -> None:
        self._settings, self._scene = settings, scene

    @property
    def recipe(self) -> Recipe:
        """Frames, threshold, and the release of the reader, which brings its weights."""
        settings = {**self._settings.own(), "short_side": SHORT_SIDE, "rapidocr": version("rapidocr")}
        return Recipe(self._settings.name, {**settings, "code_version": self._settings.code_version})

    def prepare(self, clip: Clip) -> "NDArray[Any]":
        """The frames, (T, H, W, 3) RGB."""
        rule = FrameRule(RuleKind.LINSPACE, self._settings.num_frames)
        return self._scene.frames.read(
            clip.path, clip.kind, rule.within(clip.span), short_side=SHORT_SIDE
        ).images

    def annotate(self, batch: Sequence["NDArray[Any]"]) -> list[Answer]:
        """Read frame by frame."""
        return [self._answer([self.read(frame) for frame in frames]) for frames in batch]

    def read(self, frame: "NDArray[Any]") -> Seen:
        """The text of one frame, (H, W, 3) RGB."""
        import cv2

        found = self._reader(frame[..., ::-1], use_cls=False)
        if found.boxes is None or found.txts is None:
            return Seen([], 0.0)
        lines = [
            (text.strip(), box)
            for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True)
            if score >= self._settings.min_score and sum(map(str.isalnum, text)) >= LEAST_LETTERS
        ]
        height, width = frame.shape[:2]
        area = sum(float(cv2.contourArea(box)) for _, box in lines) / (height * width)
        return Seen([text for text, _ in lines], min(area, 1.0))

    def _answer(self, frames: list[Seen]) -> Answer:
        words = list(dict.fromkeys(word for frame in frames for word in frame.words))
        details = {
            "text_found": bool(words),
            "text_area": round(sum(frame.area for frame in frames) / len(frames), 5),
            "text_words": "\n".join(words),
            "text_by_frame": [{"words": frame.words, "area": round(frame.area, 5)} for frame in frames],
        }
        return Answer(json.dumps(words, ensure_ascii=False), details=details)

    @cached_property
    def _reader(self) -> Any:
        from rapidocr import RapidOCR

        return RapidOCR(params={"Global.log_level": "error"})
