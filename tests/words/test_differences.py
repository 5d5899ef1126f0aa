import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.words.differences import own_words


@pytest.mark.parametrize(
    ("captions", "pieces"),
    [
        ([], []),
        (["A red ball."], [["A red ball."]]),
        (["A red ball.", "The ball is blue."], [["A ", "red", " ball."], ["The ball is ", "blue", "."]]),
        (["Balls rolling.", "A ball rolls."], [["Balls rolling."], ["A ball rolls."]]),
        (["A small dog", "A cat"], [["A ", "small dog", ""], ["A ", "cat", ""]]),
        (["same", "same"], [["same"], ["same"]]),
        (["a dog", "a cat", "a dog and a cat"], [["a dog"], ["a cat"], ["a dog and a cat"]]),
        (["", "word"], [[""], ["", "word", ""]]),
    ],
)
def test_words_that_only_one_caption_has(captions: list[str], pieces: list[list[str]]) -> None:
    assert own_words(captions) == pieces


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=3))
def test_pieces_put_together_are_the_caption(captions: list[str]) -> None:
    assert ["".join(pieces) for pieces in own_words(captions)] == captions
