"""Generation that is held to a JSON Schema: tokens that no valid answer could go on with are ruled out."""

from typing import TYPE_CHECKING

import torch
from transformers import AutoTokenizer, LogitsProcessor

from resources.annotation.outcome import SetupError

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from resources.engine.model_spec import ModelSpec

_BITS = torch.arange(32, dtype=torch.int32)


class JsonConstraint:
    """A schema in the tokens of a checkpoint; made once, as it takes a second for a large vocabulary.

    Args:
        spec: whose ``schema`` answers are held to.
        ends: the tokens that end an answer.

    Raises:
        SetupError: the schema, or the checkpoint's tokenizer, is of a kind that llguidance cannot use.
    """

    def __init__(self, spec: "ModelSpec", ends: list[int]) -> None:
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        tokenizer = AutoTokenizer.from_pretrained(spec.folder)
        try:
            tokens = from_tokenizer(tokenizer, eos_token=ends or None)
        except ValueError as error:
            raise SetupError(f"answers of '{spec.folder}' cannot be held to a schema: {error}") from error
        grammar = LLMatcher.grammar_from_json_schema(
            spec.schema or "{}",
            defaults={"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"},
        )
        self._new, self._ends = lambda: LLMatcher(tokens, grammar, log_level=0), ends
        if fault := self._new().get_error():
            raise SetupError(f"the schema cannot be used: {fault}")

    def processor(self, rows: int) -> LogitsProcessor:
        """What holds one batch of so many rows to the schema."""
        return _Held([self._new() for _ in range(rows)], self._ends)


class _Held(LogitsProcessor):
    """Follows what each row has said so far; a row whose answer is whole may only end."""

    def __init__(self, matchers: "list[LLMatcher]", ends: list[int]) -> None:
        self._matchers, self._ends, self._is_first = matchers, ends, True

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Rule out what cannot follow (scores: rows × vocabulary)."""
        from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask

        mask = allocate_token_bitmask(len(self._matchers), scores.shape[-1])
        for row, (matcher, last) in enumerate(zip(self._matchers, input_ids[:, -1].tolist(), strict=True)):
            if not (self._is_first or matcher.is_stopped()):
                matcher.consume_token(last)
            fill_next_token_bitmask(matcher, mask, row)
        self._is_first = False
        allowed = (mask[..., None] >> _BITS & 1).flatten(1)[:, : scores.shape[-1]].bool()
        for row in (row for row, matcher in enumerate(self._matchers) if matcher.is_stopped()):
            allowed[row] = False
            allowed[row, self._ends] = True
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))
