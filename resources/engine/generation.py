"""What generating a text came to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import GenerationConfig


class Finish(StrEnum):
    """Why a row ended."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Generation:
    """The new tokens of one row.

    ``ids`` without padding; the end token, where there is one, is the last. ``tokens_in`` counts the
    prompt with its image tokens; ``seconds`` is the row's share of its batch.
    """

    ids: tuple[int, ...]
    finish: Finish
    tokens_in: int
    seconds: float

    @property
    def tokens_out(self) -> int:
        """New tokens that the model computed, the end token included."""
        return len(self.ids)

    @classmethod
    def read(cls, ids: list[int], ends: frozenset[int], tokens_in: int, seconds: float) -> "Generation":
        """Cut a row of a padded batch after its first end token."""
        for position, token in enumerate(ids):
            if token in ends:
                return cls(tuple(ids[: position + 1]), Finish.STOP, tokens_in, seconds)
        return cls(tuple(ids), Finish.LENGTH, tokens_in, seconds)


def end_tokens(config: "GenerationConfig") -> list[int]:
    """The ids that end a row; checkpoints have them as a number, as a list or not at all."""
    ends = config.eos_token_id
    return list(ends) if isinstance(ends, list | tuple) else [] if ends is None else [ends]
