"""Chat templates: the checkpoint's own words around a prompt."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.outcome import AnnotatorError

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


def render(
    owner: "PreTrainedTokenizerBase | ProcessorMixin", template: str, messages: Sequence[dict[str, Any]]
) -> str:
    """The messages as text, up to where the model's turn begins.

    Raises:
        AnnotatorError: the template refuses them.
    """
    from jinja2 import TemplateError

    try:
        return owner.apply_chat_template(
            list(messages), chat_template=template, add_generation_prompt=True, tokenize=False
        )
    except TemplateError as error:
        raise AnnotatorError(f"the checkpoint's chat template refuses the prompt: {error}") from error


def begins_itself(text: str, tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Does the rendered text already hold the begin token, which must not come twice?"""
    return tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
