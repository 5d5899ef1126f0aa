"""Rows of model inputs, and how they become one left-padded batch."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch.nn.functional import pad

Inputs: TypeAlias = dict[str, torch.Tensor]

SEQUENCE_KEYS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


@dataclass(frozen=True, slots=True)
class Row:
    """What the model needs for one clip, as a batch of one.

    ``inputs["input_ids"]``: (1, length) with image placeholders already expanded; other keys as the
    model's own processor names them. ``details`` goes into the answer.
    """

    inputs: Inputs
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Prompt tokens, image tokens included."""
        return self.inputs["input_ids"].shape[-1]

    @property
    def signature(self) -> Hashable:
        """Equal for rows whose images stack without padding: shapes of all but the sequence inputs."""
        return tuple(
            (key, tuple(value.shape[1:]))
            for key, value in sorted(self.inputs.items())
            if key not in SEQUENCE_KEYS
        )


def collate(rows: Sequence[Row], pad_token_id: int) -> Inputs:
    """One batch: sequences padded on the left, images stacked along their first axis.

    Where images differ in another axis (tiles of a LLaVA-NeXT image, images of an Idefics row) they are
    zero-padded at its end, as the models' own processors do.
    """
    batch = {
        "attention_mask": _left_padded([torch.ones_like(row.inputs["input_ids"]) for row in rows], 0),
        "input_ids": _left_padded([row.inputs["input_ids"] for row in rows], pad_token_id),
    }
    for key in rows[0].inputs:
        if key not in batch:
            values = [row.inputs[key] for row in rows]
            batch[key] = _left_padded(values, 0) if key in SEQUENCE_KEYS else _stacked(values)
    return batch


def _left_padded(values: Sequence[torch.Tensor], filler: int) -> torch.Tensor:
    longest = max(value.shape[-1] for value in values)
    return torch.cat([pad(value, (longest - value.shape[-1], 0), value=filler) for value in values])


def _stacked(values: Sequence[torch.Tensor]) -> torch.Tensor:
    if len({value.shape[1:] for value in values}) > 1:
        sizes = [max(axis) for axis in zip(*(value.shape[1:] for value in values), strict=True)]
        values = [pad(value, _missing(value, sizes)) for value in values]
    return torch.cat(list(values))


def _missing(value: torch.Tensor, sizes: Sequence[int]) -> list[int]:
    """Zeros to add at the end of each axis but the first, last axis first as ``pad`` wants it."""
    return [
        amount
        for size, have in zip(reversed(sizes), reversed(value.shape[1:]), strict=True)
        for amount in (0, size - have)
    ]
