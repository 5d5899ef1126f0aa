import pytest
import torch

from resources.engine.batching import group_rows
from resources.engine.rows import Row, collate


@pytest.mark.parametrize(
    ("lengths", "signatures", "groups"),
    [
        ([5], "a", [[0]]),
        ([10, 10, 10], "aaa", [[0, 1, 2]]),
        ([10, 8, 9], "aaa", [[0, 2, 1]]),
        ([100, 10, 10, 10], "aaaa", [[0], [1, 2, 3]]),
        ([10, 10, 10, 10], "abab", [[0, 2], [1, 3]]),
        ([100, 90, 60, 10], "aaaa", [[0, 1, 2, 3]]),
    ],
)
def test_rows_are_grouped_by_shape_and_length(
    lengths: list[int], signatures: str, groups: list[list[int]]
) -> None:
    assert group_rows(lengths, list(signatures)) == groups


def test_no_row_is_lost_or_doubled() -> None:
    lengths = [(7 * i) % 50 + 1 for i in range(40)]
    groups = group_rows(lengths, [i % 3 for i in range(40)], max_padding=0.1)
    assert sorted(row for group in groups for row in group) == list(range(40))


def row(length: int, **inputs: torch.Tensor) -> Row:
    return Row({"input_ids": torch.arange(1, length + 1)[None], **inputs})


def test_sequences_are_padded_on_the_left() -> None:
    types = torch.tensor([[1, 1]])
    batch = collate([row(2, token_type_ids=types), row(4, token_type_ids=torch.ones(1, 4))], pad_token_id=9)
    assert batch["input_ids"].tolist() == [[9, 9, 1, 2], [1, 2, 3, 4]]
    assert batch["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]


def test_images_are_stacked_and_their_missing_tiles_are_zero() -> None:
    batch = collate([row(1, pixels=torch.ones(1, 2, 3)), row(1, pixels=torch.ones(2, 1, 3))], 0)
    assert batch["pixels"].shape == (3, 2, 3)
    assert batch["pixels"].sum(dim=(1, 2)).tolist() == [6, 3, 3]


def test_rows_of_other_image_shapes_have_other_signatures() -> None:
    shapes = [(1, 3, 4), (2, 3, 4), (1, 3, 5)]
    first, more_images, larger = (row(1, pixels=torch.ones(shape)).signature for shape in shapes)
    assert first == more_images != larger
