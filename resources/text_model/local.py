"""A chat model in this process, and the annotators that put a question to it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError, ClipError, ErrorKind
from resources.annotation.recipe import Recipe
from resources.engine.checkpoint import Checkpoint
from resources.engine.model_annotator import (
    MODEL_LABELS,
    LazyEngine,
    ModelAnnotator,
    Once,
    context_problem,
    model_identity,
)
from resources.engine.settings import LocalModel
from resources.text_model.question import Asks, Question, Turn
from resources.words.judgement import Judgement

if TYPE_CHECKING:
    from resources.engine.chat import ChatFormat
    from resources.engine.model_spec import ChatSpec
    from resources.engine.rows import Row


class TextModel:
    """A chat model, loaded once for however many questions are put to it.

    Args:
        settings: the entry of the collection file.
        cache: where fingerprints of weight files are remembered.
        schema: the JSON Schema that every answer is held to, if any.

    Raises:
        AnnotatorError: settings that cannot be used.
    """

    def __init__(self, settings: LocalModel, cache: Path | None = None, schema: str | None = None) -> None:
        self.settings = settings
        self.engine = LazyEngine(settings.placement, settings.max_new_tokens)
        self.checkpoint = settings.checkpoint()
        self.cache = cache
        self.chat = Once(self._read_chat)
        """Tokenizer and template, loaded once."""
        self._schema = schema

    def row(self, turns: Sequence[Turn], clip: Clip) -> "Row":
        """The tokens of a conversation about a clip, of which the first turn is the system's.

        Raises:
            AnnotatorError: there is no chat template.
            ClipError: the text leaves no room for the answer.
        """
        import torch

        from resources.engine.rows import Row

        chat = self.chat()
        try:
            text = chat.render(turns)
        except AnnotatorError:
            # Some templates (Gemma's) know no system role; the task then opens the user's first turn.
            system, user, *rest = turns
            text = chat.render(
                [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}, *rest]
            )
        ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        if problem := context_problem(len(ids), self.engine.max_new_tokens, chat.context):
            raise ClipError(ErrorKind.REFUSED, f"the text of clip '{clip.id}' {problem}")
        return Row({"input_ids": torch.tensor([ids])}, about=clip)

    def _read_chat(self) -> "ChatFormat":
        from transformers import AutoTokenizer

        from resources.engine.chat import ChatFormat

        folder = self.checkpoint.folder()
        self.checkpoint.require_config()
        return ChatFormat.read(AutoTokenizer.from_pretrained(folder), folder)

    def model_spec(self) -> "ChatSpec":
        """How the model is loaded."""
        from resources.engine.model_spec import ChatSpec

        return ChatSpec(
            folder=self.checkpoint.folder(),
            placement=self.engine.placement,
            end_ids=self.chat().end_ids,
            schema=self._schema,
        )

    def close(self) -> None:
        """Give back the model."""
        self.engine.close()


class LocalAnswers(Asks, ModelAnnotator):
    """Puts one question about each clip to a model in this process.

    Args:
        question: what is asked.
        model: it stays open when this annotator is closed, since another may share it.

    ``details["raw"]`` of an answer is what the model wrote.
    """

    def __init__(self, question: Question, model: TextModel) -> None:
        super().__init__(model.engine, model.settings.batch_size)
        self._question = question
        self._model = model

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        model, checkpoint, engine = self._model, self._model.checkpoint, self._model.engine
        settings = {
            **model_identity(checkpoint, engine.placement, model.cache),
            "max_new_tokens": engine.max_new_tokens,
            **self._question.recorded,
            "code_version": model.settings.code_version,
        }
        return Recipe(self._question.asset, settings, MODEL_LABELS, checkpoint.formerly(model.cache))

    def prepare(self, clip: Clip) -> "Row":  # noqa: D102
        return self._model.row(self._question.turns(clip), clip)

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:  # noqa: D102
        return (self._model.checkpoint,)

    def model_spec(self) -> "ChatSpec":  # noqa: D102
        return self._model.model_spec()

    def decode(self, ids: Sequence[int]) -> str:  # noqa: D102
        return self._model.chat().decode(ids)

    def judge(self, written: str, cut_off: bool) -> Judgement:  # noqa: D102
        return replace(self._question.judge(written, cut_off), details={"raw": written})

    def interpret(self, text: str, row: "Row") -> tuple[str, dict[str, Any]]:  # noqa: D102
        return self._question.read(text, row.about)

    def close(self) -> None:
        """Nothing: whoever made the model closes it."""
