import pytest
import torch

from resources.engine.rows import Row, collate, group_rows


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
    rows = [row(length, **{mark: torch.ones(1)}) for length, mark in zip(lengths, signatures, strict=True)]
    assert group_rows(rows) == groups


def test_no_row_is_lost_or_doubled() -> None:
    rows = [row((7 * i) % 50 + 1, pixels=torch.ones(1, i % 3)) for i in range(40)]
    groups = group_rows(rows, max_padding=0.1)
    assert sorted(number for group in groups for number in group) == list(range(40))


def row(length: int, **inputs: torch.Tensor) -> Row:
    return Row({"input_ids": torch.arange(1, length + 1)[None], **inputs})


def test_sequences_are_padded_on_the_left() -> None:
    types = torch.tensor([[1, 1]])
    batch = collate([row(2, token_type_ids=types), row(4, token_type_ids=torch.ones(1, 4))])
    assert batch["input_ids"].tolist() == [[2, 2, 1, 2], [1, 2, 3, 4]]
    assert batch["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]


def test_images_are_stacked() -> None:
    batch = collate([row(1, pixels=torch.ones(1, 2, 3)), row(1, pixels=torch.ones(2, 2, 3))])
    assert batch["pixels"].shape == (3, 2, 3)


def test_rows_of_other_image_shapes_have_other_signatures() -> None:
    shapes = [(1, 3, 4), (2, 3, 4), (1, 3, 5)]
    first, more_images, larger = (row(1, pixels=torch.ones(shape)).signature for shape in shapes)
    assert first == more_images != larger
