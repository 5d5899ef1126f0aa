"""Which rows go through the model together."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

MAX_PADDING = 0.4


def group_rows(
    lengths: Sequence[int], signatures: Sequence[Hashable], max_padding: float = MAX_PADDING
) -> list[list[int]]:
    """Split a batch into groups of row numbers that are worth computing together.

    Rows of different image shapes never share a group. Within a shape, rows are taken from the longest
    down, and a new group starts where padding would be more than ``max_padding`` of the group's tokens:
    padding costs prefill, but a further group costs a whole decode, so a good deal of it is borne.
    """
    by_signature: dict[Hashable, list[int]] = defaultdict(list)
    for row, signature in enumerate(signatures):
        by_signature[signature].append(row)
    groups: list[list[int]] = []
    for rows in by_signature.values():
        group: list[int] = []
        for row in sorted(rows, key=lambda row: -lengths[row]):
            if group and _padding([lengths[other] for other in [*group, row]]) > max_padding:
                groups.append(group)
                group = []
            group.append(row)
        groups.append(group)
    return groups


def _padding(lengths: Sequence[int]) -> float:
    return 1 - sum(lengths) / (max(lengths) * len(lengths))
