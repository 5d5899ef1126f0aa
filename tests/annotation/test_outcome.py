import pytest

from resources.annotation.outcome import Outcome, Status
from resources.annotation.outcome_table import lines_to_table, outcomes_to_lines


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a dog \ud83d", "a dog \ufffd"),
        ("\ude00é", "\ufffdé"),
        ("\ud83d\ude00", "😀"),
        ("a\nb\u2028\0", "a\nb\u2028\0"),
    ],
)
def test_half_a_character_from_a_server_does_not_stop_the_shard(text, kept):
    outcomes = [
        Outcome("a", Status.OK, value=text, details={"raw": text}),
        Outcome("b", Status.OK, value="b"),
    ]
    table = lines_to_table(outcomes_to_lines(outcomes))
    assert table["value"].to_pylist() == [kept, "b"]
    assert table["id"].to_pylist() == ["a", "b"]
