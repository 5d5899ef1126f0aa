"""The tagger as an entry of a collection file: two assets, one loaded model."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import TEXT, Column, Declaration, Role, Scene
from resources.engine.fingerprint import model_cache
from resources.engine.settings import EMBEDDED, LocalModel, ServedModel
from resources.tagger.prompts import TAG_KEYS


class Tags(LocalModel, ServedModel):
    """The objects and the actions that the text of a clip names."""

    indifferent: ClassVar[frozenset[str]] = LocalModel.indifferent | ServedModel.indifferent
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

    def deciding(self) -> dict:  # noqa: D102
        return super().deciding() | {"is_served": self.is_served}

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        if self.is_served:
            from resources.tagger.served import ServedTags

            server = self.server(self.model or "", scene)
            with closing(server) if server else nullcontext():
                yield {f"{self.name}_{what}": ServedTags(what, self, server) for what in TAG_KEYS}
            return
        from resources.tagger import TagAnnotator, Tagger

        with closing(Tagger(self, model_cache(scene.lake))) as tagger:
            yield {f"{self.name}_{what}": TagAnnotator(what, tagger) for what in TAG_KEYS}
