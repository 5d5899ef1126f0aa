"""The language model that reads tags, and the two annotators that share it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.annotator import Annotator
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
from resources.tagger.parsing import UnreadableTags, judge_tags, normalise_tags, parse_tags
from resources.tagger.prompts import TAG_KEYS, TAG_PROMPTS
from resources.words.judgement import Judgement

if TYPE_CHECKING:
    from resources.engine.chat import ChatFormat
    from resources.engine.model_spec import ChatSpec
    from resources.engine.rows import Row
    from resources.tagger.kind import Tags


class Tagger:
    """A chat model, loaded once for however many kinds of tags it is asked for.

    Args:
        settings: the entry of the collection file.
        cache: where fingerprints of weight files are remembered.

    Raises:
        AnnotatorError: settings that cannot be used.
    """

    def __init__(self, settings: "Tags", cache: Path | None = None) -> None:
        self.settings = settings
        self.engine = LazyEngine(settings.placement, settings.max_new_tokens)
        self.checkpoint = settings.checkpoint()
        self.cache = cache
        self.chat = Once(self._read_chat)
        """Tokenizer and template, loaded once."""

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The part of a recipe that is the same for all kinds of tags."""
        return {
            **model_identity(self.checkpoint, self.engine.placement, self.cache),
            "max_new_tokens": self.engine.max_new_tokens,
        }

    def row(self, system: str, user: str, what: str) -> "Row":
        """The tokens of one question.

        Raises:
            AnnotatorError: there is no chat template.
            ClipError: the text leaves no room for the answer.
        """
        import torch

        from resources.engine.rows import Row

        chat = self.chat()
        try:
            text = chat.render([{"role": "system", "content": system}, {"role": "user", "content": user}])
        except AnnotatorError:
            # Some templates (Gemma's) know no system role; the task then opens the user's turn.
            text = chat.render([{"role": "user", "content": f"{system}\n\n{user}"}])
        ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        if problem := context_problem(len(ids), self.engine.max_new_tokens, chat.context):
            raise ClipError(ErrorKind.REFUSED, f"{what} {problem}")
        return Row({"input_ids": torch.tensor([ids])})

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
        )

    def close(self) -> None:
        """Give back the model."""
        self.engine.close()


class ReadsText(Annotator):
    """An annotator of the text of clips: it is asked again where the text is another one."""

    def input_key(self, clip: Clip) -> str | None:
        """The hash of the text that is read."""
        return hashlib.sha256((clip.text or "").encode()).hexdigest()[:32]

    def skip_reason(self, clip: Clip) -> str | None:  # noqa: D102
        return None if (clip.text or "").strip() else "no text to read tags from"


class TagAnnotator(ReadsText, ModelAnnotator):
    """Reads one kind of tags out of the text of each clip.

    Args:
        key: ``objects`` or ``actions``.
        tagger: the model; it stays open when this annotator is closed, since another may share it.

    The value is a JSON list of normalised tags, ``[]`` where the model says that the text names none;
    ``details["raw"]`` is what it wrote.
    """

    def __init__(self, key: str, tagger: Tagger) -> None:
        if key not in TAG_KEYS:
            raise AnnotatorError(f"there are no tags of the kind '{key}': use {' or '.join(TAG_KEYS)}")
        super().__init__(tagger.engine, tagger.settings.batch_size)
        self._key = key
        self._tagger = tagger

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        tagger = self._tagger
        asked = {"prompt": TAG_PROMPTS[self._key], "code_version": tagger.settings.code_version}
        former = tagger.checkpoint.formerly(tagger.cache)
        name = f"{tagger.settings.name}_{self._key}"
        return Recipe(name, {**tagger.identity, **asked}, MODEL_LABELS, former)

    def prepare(self, clip: Clip) -> "Row":  # noqa: D102
        return self._tagger.row(
            TAG_PROMPTS[self._key], (clip.text or "").strip(), f"the text of clip '{clip.id}'"
        )

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:  # noqa: D102
        return (self._tagger.checkpoint,)

    def model_spec(self) -> "ChatSpec":  # noqa: D102
        return self._tagger.model_spec()

    def decode(self, ids: Sequence[int]) -> str:  # noqa: D102
        return self._tagger.chat().decode(ids)

    def judge(self, written: str, cut_off: bool) -> Judgement:
        """As for captions, but *none* is an answer here."""
        return replace(judge_tags(written, cut_off=cut_off), details={"raw": written})

    def interpret(self, text: str) -> str:  # noqa: D102
        return read_tags(self._key, text)

    def close(self) -> None:
        """Nothing: whoever made the tagger closes it."""


def read_tags(key: str, text: str) -> str:
    """The JSON list of normalised tags in a model's answer.

    Raises:
        ClipError: it is no list.
    """
    try:
        tags = normalise_tags(parse_tags(text))
    except UnreadableTags as error:
        raise ClipError(ErrorKind.EMPTY_OUTPUT, f"no {key} could be read: {error}") from error
    return json.dumps(tags, ensure_ascii=False)
