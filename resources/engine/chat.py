"""Chat templates: the checkpoint's own words around a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.outcome import AnnotatorError
from resources.words.marks import is_thought_mark

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

TURN_ENDS = (
    "<|eot_id|>",
    "<|im_end|>",
    "<end_of_turn>",
    "<|end|>",
    "<|end_of_utterance|>",
    "<end_of_utterance>",
)


@dataclass(frozen=True)
class ChatFormat:
    """How a checkpoint wants to be asked, and how it ends.

    ``owner`` is its tokenizer, or the processor around it; ``end_ids`` end the model's turn; ``context`` is how
    many tokens it was built for (``None``: it does not say).
    """

    owner: "PreTrainedTokenizerBase | ProcessorMixin"
    template: str
    end_ids: tuple[int, ...]
    context: int | None

    @classmethod
    def read(cls, owner: "PreTrainedTokenizerBase | ProcessorMixin", folder: Path) -> "ChatFormat":
        """The format of the checkpoint in ``folder``.

        Raises:
            AnnotatorError: it has no chat template.
        """
        from resources.engine.model_spec import context_length

        template = require_template(owner, folder)
        ends = turn_end_ids(getattr(owner, "tokenizer", owner), template)
        return cls(owner, template, ends, context_length(folder))

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The tokenizer, on its own."""
        return getattr(self.owner, "tokenizer", self.owner)

    def render(self, messages: Sequence[dict[str, Any]]) -> str:
        """The messages as text, up to where the model's turn begins.

        Raises:
            AnnotatorError: the template refuses them.
        """
        from jinja2 import TemplateError

        try:
            return self.owner.apply_chat_template(
                list(messages), chat_template=self.template, add_generation_prompt=True, tokenize=False
            )
        except TemplateError as error:
            raise AnnotatorError(f"the checkpoint's chat template refuses the prompt: {error}") from error

    def begins_itself(self, text: str) -> bool:
        """Does the rendered text already hold the begin token, which must not come twice?"""
        bos = self.tokenizer.bos_token
        return bos is not None and text.startswith(bos)

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens to text, without the marks of the format; those of thoughts stay, to tell them from the answer."""
        runs = groupby(ids, self._thought_marks.__contains__)
        return "".join(self.tokenizer.decode([*run], skip_special_tokens=not marks) for marks, run in runs)

    @cached_property
    def _thought_marks(self) -> frozenset[int]:
        added = self.tokenizer.added_tokens_decoder
        return frozenset(number for number, token in added.items() if is_thought_mark(token.content))


def require_template(owner: "PreTrainedTokenizerBase | ProcessorMixin", folder: Path) -> str:
    """The chat template of a tokenizer or processor.

    Raises:
        AnnotatorError: it has none, so nobody knows how this model wants to be asked.
    """
    template = owner.chat_template or getattr(getattr(owner, "tokenizer", None), "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        raise AnnotatorError(
            f"the checkpoint '{folder}' has no chat template: use its instruction-tuned version, or add a "
            "chat_template.jinja"
        )
    return template


def turn_end_ids(tokenizer: "PreTrainedTokenizerBase", template: str) -> tuple[int, ...]:
    """Tokens that end the model's turn: the tokenizer's end token and the markers that the template writes.

    Early releases of chat models list only the end of the whole text in their generation settings.
    """
    vocabulary = tokenizer.get_vocab()
    ends = {vocabulary[mark] for mark in TURN_ENDS if mark in vocabulary and mark in template}
    if tokenizer.eos_token_id is not None:
        ends.add(tokenizer.eos_token_id)
    return tuple(sorted(ends))
