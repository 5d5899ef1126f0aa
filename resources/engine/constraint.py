"""Greedy decoding that can only write what a JSON schema allows, by the library llguidance."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from resources.annotation.outcome import AnnotatorError

if TYPE_CHECKING:
    from llguidance import LLMatcher
    from transformers import PreTrainedTokenizerBase

# One spelling of each value: a model that may write white space anywhere can go on with it for ever.
_SPELLING: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class JsonGrammar:
    """A JSON schema in the tokens of one model.

    Args:
        schema: the JSON schema, as JSON.
        vocab_size: how many tokens the model scores.
        ends: tokens that end a text; one of them must follow the value.

    Raises:
        AnnotatorError: the schema cannot be used, or no token ends a text.
    """

    def __init__(
        self, schema: str, tokenizer: "PreTrainedTokenizerBase", vocab_size: int, ends: Iterable[int]
    ) -> None:
        from llguidance import LLMatcher, LLTokenizer

        if not (end_ids := sorted(ends)):
            raise AnnotatorError("constrained decoding needs a token that ends the text; the model has none")
        words = tokenizer.backend_tokenizer.to_str()
        tokens = LLTokenizer(words, n_vocab=vocab_size, eos_token=end_ids, slices=LLTokenizer.json_slices())
        self._start = LLMatcher(
            tokens, LLMatcher.grammar_from_json_schema(json.loads(schema), overrides=_SPELLING)
        )
        self._ends = frozenset(end_ids)
        if self._start.is_error():
            raise AnnotatorError(f"the JSON schema cannot be used: {self._start.get_error()}")

    def begin(self, rows: int) -> "JsonConstraint":
        """The constraint of a new batch."""
        return JsonConstraint([self._start.deep_copy() for _ in range(rows)], self._ends)


class JsonConstraint:
    """Where each row of one batch is in the schema."""

    def __init__(self, matchers: Sequence["LLMatcher"], ends: frozenset[int]) -> None:
        self._rows: list[Any] = list(matchers)
        self._ends = ends
        self._unfinished = [True] * len(self._rows)

    def restrict(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows, vocabulary) with minus infinity for every token that cannot come next."""
        masks = b"".join(row.compute_bitmask() for row in self._rows)
        bits = torch.frombuffer(bytearray(masks), dtype=torch.uint8).to(scores.device)
        shifts = torch.arange(8, dtype=torch.uint8, device=scores.device)
        allowed = ((bits[:, None] >> shifts) & 1).view(len(self._rows), -1)
        return scores.masked_fill(allowed[:, : scores.shape[1]] == 0, float("-inf"))

    def accept(self, tokens: Sequence[int]) -> None:
        """Go on by the token that each row has written; rows that have ended stay where they are.

        Raises:
            RuntimeError: a token was not allowed, or the library gave up on the row.
        """
        for number, (row, token) in enumerate(zip(self._rows, tokens, strict=True)):
            if not self._unfinished[number]:
                continue
            if not row.consume_token(token):
                raise RuntimeError(f"the JSON schema does not allow token {token}: {row.get_error()}")
            self._unfinished[number] = token not in self._ends

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all rows but these, which move together in this order."""
        self._rows = [self._rows[row] for row in rows]
        self._unfinished = [self._unfinished[row] for row in rows]
