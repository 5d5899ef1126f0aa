"""The tagger as an entry of a collection file: two assets, one loaded model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from resources.annotation.declaration import TEXT, Column, Declaration, Role
from resources.engine.settings import EMBEDDED
from resources.tagger.prompts import TAG_KEYS
from resources.text_model.settings import TextSettings

if TYPE_CHECKING:
    from resources.text_model.question import Question


class Tags(TextSettings):
    """The objects and the actions that the text of a clip names."""

    demo_model: ClassVar[Path] = EMBEDDED / "tiny-tagger"

    kind: Literal["tags"] = "tags"
    name: str = "tags"
    batch_size: int = Field(default=32, gt=0, description="Captions in a batch, or requests in flight.")
    max_new_tokens: int = Field(default=512, gt=0, description="Longest list of tags, in tokens.")

    @property
    def key(self) -> str:
        """``tagger`` for the one that the released contract names."""
        return "tagger" if self.name == "tags" else self.name

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        before = "" if self.name == "tags" else f"{self.name}_"
        return tuple(
            Declaration(
                f"{self.name}_{what}",
                Role.TAGS,
                (Column(f"{before}{what}", "VARCHAR[]", f"{what} the text names"),),
                f"The {what} that the caption names. An empty list is an answer: the caption names none.",
                (TEXT,),
            )
            for what in TAG_KEYS
        )

    def questions(self) -> "Sequence[Question]":  # noqa: D102
        from resources.tagger.question import TagQuestion

        return [TagQuestion(self.name, what) for what in TAG_KEYS]
