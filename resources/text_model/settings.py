"""What every entry says whose language model is in this process or behind a server, and how it is opened."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, ClassVar

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import Scene
from resources.engine.fingerprint import model_cache
from resources.engine.settings import LocalModel, ServedModel

if TYPE_CHECKING:
    from resources.text_model.question import Question


class TextSettings(LocalModel, ServedModel):
    """A language model, and the questions that are put to it about each clip."""

    indifferent: ClassVar[frozenset[str]] = LocalModel.indifferent | ServedModel.indifferent

    def questions(self) -> "Sequence[Question]":
        """What is asked; each question has an asset of its own, and its schema, if any, is that of all."""
        raise NotImplementedError

    def deciding(self) -> dict:  # noqa: D102
        return super().deciding() | {"is_served": self.is_served}

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        questions = self.questions()
        if self.is_served:
            from resources.text_model.served import ServedAnswers

            server = self.server(self.model or "", scene)
            with closing(server) if server else nullcontext():
                yield {one.asset: ServedAnswers(one, self, server) for one in questions}
            return
        from resources.text_model.local import LocalAnswers, TextModel

        held_to = json.dumps(questions[0].schema) if questions[0].schema else None
        with closing(TextModel(self, model_cache(scene.lake), held_to)) as model:
            yield {one.asset: LocalAnswers(one, model) for one in questions}
