"""The language model that reads tags, and the two annotators that share it."""

import hashlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError, ClipError, ErrorKind
from resources.annotation.recipe import Recipe
from resources.engine.checkpoint import Checkpoint
from resources.engine.model_annotator import LazyEngine, ModelAnnotator, context_problem, model_identity
from resources.engine.once import Once
from resources.engine.placement import Placement
from resources.tagger.parsing import UnreadableTags, normalise_tags, parse_json_tags, parse_tags
from resources.tagger.prompts import JSON_TAG_PROMPTS, TAG_KEYS, TAG_PROMPTS, TAG_SCHEMA

if TYPE_CHECKING:
    from resources.engine.chat import ChatFormat
    from resources.engine.rows import Row
    from resources.tagger.tagger_model import ChatSpec

CODE_VERSION = 1
EMBEDDED = Path(__file__).parents[1] / "demo" / "checkpoints" / "tiny-tagger"


class Tagger:
    """A chat model, loaded once for however many kinds of tags it is asked for.

    Args:
        model: a folder or hub id (``meta-llama/Meta-Llama-3-8B-Instruct``). Default: the embedded tiny one.
        continuous_batching: let new captions take the place of finished ones inside the library's paged
            cache. Answers are the same; worth it on a GPU where lengths differ much.
        constrained: let the model write nothing but a JSON list of strings. For instruction-tuned models,
            which know JSON; the embedded one was not taught any.
        dtype, attention, device, tensor_parallel_size: see :class:`~resources.engine.placement.Placement`.
        cache: where fingerprints of weight files are remembered.

    Raises:
        AnnotatorError: settings that cannot be used.
    """

    def __init__(
        self,
        *,
        model: str | Path | None = None,
        batch_size: int = 32,
        max_new_tokens: int = 512,
        dtype: str = "auto",
        attention: str = "auto",
        device: str = "auto",
        tensor_parallel_size: int = 1,
        continuous_batching: bool = False,
        constrained: bool = False,
        cache: Path | None = None,
    ) -> None:
        placement = Placement.choose(device, dtype, attention, tensor_parallel_size)
        if continuous_batching and tensor_parallel_size > 1:
            raise AnnotatorError("continuous_batching works on one device: set tensor_parallel_size to 1")
        if constrained:
            _check_constrained(model, continuous_batching)
        self.engine = LazyEngine(placement, max_new_tokens)
        self.batch_size = batch_size
        self.continuous_batching = continuous_batching
        self.constrained = constrained
        self.prompts = JSON_TAG_PROMPTS if constrained else TAG_PROMPTS
        self._checkpoint = Checkpoint.locate(model if model is not None else EMBEDDED)
        self._cache = cache
        self._chat = Once(self._read_chat)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The part of a recipe that is the same for all kinds of tags."""
        return {
            **model_identity(self._checkpoint, self.engine.placement, self._cache),
            "max_new_tokens": self.engine.max_new_tokens,
            **({"schema": TAG_SCHEMA} if self.constrained else {}),
        }

    def row(self, system: str, user: str, what: str) -> "Row":
        """The tokens of one question.

        Raises:
            AnnotatorError: there is no chat template.
            ClipError: the text leaves no room for the answer.
        """
        import torch

        from resources.engine.rows import Row

        chat = self.chat
        try:
            text = chat.render([{"role": "system", "content": system}, {"role": "user", "content": user}])
        except AnnotatorError:
            # Some templates (Gemma's) know no system role; the task then opens the user's turn.
            text = chat.render([{"role": "user", "content": f"{system}\n\n{user}"}])
        ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        if problem := context_problem(len(ids), self.engine.max_new_tokens, chat.context):
            raise ClipError(ErrorKind.REFUSED, f"{what} {problem}")
        return Row({"input_ids": torch.tensor([ids])})

    @property
    def chat(self) -> "ChatFormat":
        """Tokenizer and template, loaded once."""
        return self._chat()

    def _read_chat(self) -> "ChatFormat":
        from transformers import AutoTokenizer

        from resources.engine.chat import ChatFormat

        folder = self._checkpoint.folder()
        return ChatFormat.read(AutoTokenizer.from_pretrained(folder), folder)

    def model_spec(self) -> "ChatSpec":
        """How the model is loaded."""
        from resources.tagger.tagger_model import ChatSpec

        return ChatSpec(
            folder=self._checkpoint.folder(),
            placement=self.engine.placement,
            end_ids=self.chat.end_ids,
            continuous_batching=self.continuous_batching,
            json_schema=json.dumps(TAG_SCHEMA) if self.constrained else None,
        )

    def close(self) -> None:
        """Give back the model."""
        self.engine.close()


def _check_constrained(model: str | Path | None, continuous_batching: bool) -> None:
    if model is None:
        raise AnnotatorError(
            "the embedded tagger knows no JSON: set constrained to false, or model to an instruction-tuned one"
        )
    if continuous_batching:
        raise AnnotatorError("constrained and continuous_batching do not go together: set one to false")
    if importlib.util.find_spec("llguidance") is None:
        raise AnnotatorError(
            "constrained needs the package llguidance: pip install 'vidcap[constrained]', or set it to false",
            retryable=False,
        )


class TagAnnotator(ModelAnnotator):
    """Reads one kind of tags out of the text of each clip.

    Args:
        key: ``objects`` or ``actions``.
        tagger: the model; it stays open when this annotator is closed, since another may share it.
        text_from: where the texts come from (captioner to fingerprint), for the recipe.

    The value is a JSON list of normalised tags, ``[]`` where the model says that the text names none;
    ``details["raw"]`` is what it wrote.
    """

    def __init__(self, key: str, tagger: Tagger, text_from: Mapping[str, Any] | None = None) -> None:
        if key not in TAG_KEYS:
            raise AnnotatorError(f"there are no tags of the kind '{key}': use {' or '.join(TAG_KEYS)}")
        super().__init__(tagger.engine, tagger.batch_size)
        self._key = key
        self._tagger = tagger
        self._text_from = dict(text_from or {})

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        return Recipe(
            f"tags_{self._key}",
            {
                **self._tagger.identity,
                "prompt": self._tagger.prompts[self._key],
                "text_from": self._text_from,
                "code_version": CODE_VERSION,
            },
        )

    def input_key(self, clip: Clip) -> str | None:
        """The hash of the text that is read."""
        return hashlib.sha256((clip.text or "").encode()).hexdigest()[:32]

    def skip_reason(self, clip: Clip) -> str | None:  # noqa: D102
        return None if (clip.text or "").strip() else "no text to read tags from"

    def prepare(self, clip: Clip) -> "Row":  # noqa: D102
        return self._tagger.row(
            self._tagger.prompts[self._key], (clip.text or "").strip(), f"the text of clip '{clip.id}'"
        )

    def model_spec(self) -> "ChatSpec":  # noqa: D102
        return self._tagger.model_spec()

    def decode(self, ids: Sequence[int]) -> str:  # noqa: D102
        return self._tagger.chat.decode(ids)

    def interpret(self, text: str, details: dict[str, Any]) -> tuple[str, dict[str, Any]]:  # noqa: D102
        parse = parse_json_tags if self._tagger.constrained else parse_tags
        try:
            tags = normalise_tags(parse(text))
        except UnreadableTags as error:
            raise ClipError(ErrorKind.EMPTY_OUTPUT, f"no {self._key} could be read: {error}") from error
        return json.dumps(tags, ensure_ascii=False), {**details, "raw": text}

    def close(self) -> None:
        """Nothing: whoever made the tagger closes it."""
