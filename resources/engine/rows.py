"""Rows of model inputs, which of them share a batch, and how they become one, padded on the left."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch.nn.functional import pad

Inputs: TypeAlias = dict[str, torch.Tensor]

MAX_PADDING = 0.4  # of a batch's tokens: padding costs prefill, a further batch a whole decode
SEQUENCE_KEYS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
# Inputs known to mean the same for rows laid one after the other along their first axis. Others may point into the
# pixels of their own row (Molmo 2) or lie side by side along another axis (MiniCPM-V).
STACKING_KEYS = frozenset(
    {
        *("pixel_values", "pixel_values_images", "pixel_values_videos", "pixel_attention_mask", "pixel_mask"),
        *("image_sizes", "image_grid_thw", "video_grid_thw", "second_per_grid_ts", "batch_num_images"),
        *("image_position_ids", "video_position_ids", "num_frames_per_video"),
        *("image_merge_sizes", "video_merge_sizes", "video_compression_mask"),
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """What the model needs for one clip, as a batch of one.

    ``inputs["input_ids"]``: (1, length) with image placeholders already expanded; other keys as the
    model's own processor names them. ``details`` goes into the answer; ``about`` is for whoever reads it.
    """

    inputs: Inputs
    details: dict[str, Any] = field(default_factory=dict)
    about: Any = None

    @property
    def length(self) -> int:
        """Prompt tokens, image tokens included."""
        return self.inputs["input_ids"].shape[-1]

    @property
    def signature(self) -> Hashable:
        """Equal for rows whose images stack without padding: shapes of all but the sequence inputs.

        A row with inputs of which nobody knows whether they stack is its own kind.
        """
        if not self.inputs.keys() <= STACKING_KEYS.union(SEQUENCE_KEYS):
            return id(self)
        return tuple(
            (key, tuple(value.shape[1:]))
            for key, value in sorted(self.inputs.items())
            if key not in SEQUENCE_KEYS
        )


def group_rows(rows: Sequence[Row], max_padding: float = MAX_PADDING) -> list[list[int]]:
    """Split rows into groups of row numbers that are worth computing together.

    Rows of different image shapes never share a group. Within a shape, rows are taken from the longest
    down, and a new group starts where padding would be more than ``max_padding`` of the group's tokens.
    """
    by_signature: dict[Hashable, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        by_signature[row.signature].append(number)
    groups: list[list[int]] = []
    for numbers in by_signature.values():
        group: list[int] = []
        for number in sorted(numbers, key=lambda number: -rows[number].length):
            lengths = [rows[other].length for other in [*group, number]]
            if group and 1 - sum(lengths) / (max(lengths) * len(lengths)) > max_padding:
                groups.append(group)
                group = []
            group.append(number)
        groups.append(group)
    return groups


def collate(rows: Sequence[Row]) -> Inputs:
    """One batch: sequences padded on the left, images stacked along their first axis.

    Tokens are padded by the row's own last one, behind the attention mask: a penalty on repeated tokens then
    finds the same tokens in a row whatever the batch, which it would not with padding that is an end token.
    """
    ids = [row.inputs["input_ids"] for row in rows]
    batch = {
        "attention_mask": _left_padded([torch.ones_like(row) for row in ids]),
        "input_ids": _left_padded(ids, [int(row[0, -1]) for row in ids]),
    }
    for key in rows[0].inputs:
        if key not in batch:
            values = [row.inputs[key] for row in rows]
            batch[key] = _left_padded(values) if key in SEQUENCE_KEYS else torch.cat(values)
    return batch


def _left_padded(values: Sequence[torch.Tensor], fillers: Sequence[int] | None = None) -> torch.Tensor:
    longest = max(value.shape[-1] for value in values)
    return torch.cat(
        [
            pad(value, (longest - value.shape[-1], 0), value=filler)
            for value, filler in zip(values, fillers or [0] * len(values), strict=True)
        ]
    )
