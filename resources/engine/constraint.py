"""Generation that is held to a JSON Schema: tokens that no valid answer could go on with are ruled out."""

from typing import TYPE_CHECKING

import torch
from transformers import AutoTokenizer, GenerationConfig, LogitsProcessor

from resources.annotation.outcome import SetupError
from resources.engine.generation import end_tokens

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from resources.engine.model_spec import ModelSpec

_BITS = torch.arange(32, dtype=torch.int32)


class JsonConstraint:
    """The grammar of a schema in the tokens of a checkpoint; made once, as it takes a second for a large vocabulary.

    Raises:
        SetupError: the schema, or the checkpoint's tokenizer, is of a kind that llguidance cannot use.
    """

    def __init__(self, spec: "ModelSpec", config: GenerationConfig) -> None:
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self._ends = end_tokens(config)
        self._grammar = LLMatcher.grammar_from_json_schema(
            spec.schema or "{}",
            defaults={"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"},
        )
        try:
            self._tokenizer = from_tokenizer(
                AutoTokenizer.from_pretrained(spec.folder), eos_token=self._ends or None
            )
        except ValueError as error:
            raise SetupError(f"answers of '{spec.folder}' cannot be held to a schema: {error}") from error
        if fault := self._matcher().get_error():
            raise SetupError(f"the schema cannot be used: {fault}")

    def _matcher(self) -> "LLMatcher":
        from llguidance import LLMatcher

        return LLMatcher(self._tokenizer, self._grammar, log_level=0)

    def processor(self, rows: int) -> LogitsProcessor:
        """What holds one batch of so many rows to the schema."""
        return _Held([self._matcher() for _ in range(rows)], self._ends)


class _Held(LogitsProcessor):
    """Follows what each row has said so far; a row whose answer is whole may only end."""

    def __init__(self, matchers: "list[LLMatcher]", ends: list[int]) -> None:
        self._matchers = matchers
        self._ends = ends
        self._is_first = True

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Rule out what cannot follow (scores: rows × vocabulary)."""
        from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask

        if not self._is_first:
            for matcher, last in zip(self._matchers, input_ids[:, -1].tolist(), strict=True):
                if not matcher.is_stopped():
                    matcher.consume_token(last)
        self._is_first = False
        mask = allocate_token_bitmask(len(self._matchers), scores.shape[-1])
        for row, matcher in enumerate(self._matchers):
            fill_next_token_bitmask(matcher, mask, row)
        allowed = (mask[..., None] >> _BITS & 1).flatten(1)[:, : scores.shape[-1]].bool()
        for row, matcher in enumerate(self._matchers):
            if matcher.is_stopped():
                allowed[row] = False
                allowed[row, self._ends] = True
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))
