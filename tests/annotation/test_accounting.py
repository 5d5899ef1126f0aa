import pytest

from resources.annotation.accounting import AccountingError, Tally, account


def test_every_clip_in_one_status():
    assert account(["a", "b", "c"], [("a", "ok"), ("b", "failed"), ("c", "skipped")]) == Tally(3, 1, 1, 1)
    assert account([], []) == Tally(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "ok")], r"1 missing \(b\)"),
        ([("a", "ok"), ("b", "ok"), ("b", "failed")], r"1 doubled \(b\)"),
        ([("a", "ok"), ("b", "ok"), ("x", "ok")], r"1 unknown \(x\)"),
        ([("a", "ok"), ("b", "")], r"1 without a terminal status \(b\)"),
    ],
)
def test_a_lost_doubled_invented_or_undecided_row_is_named(rows, message):
    with pytest.raises(AccountingError, match=message):
        account(["a", "b"], rows)


def test_skipped_rows_do_not_count_in_the_failed_share():
    assert Tally(10, 3, 1, 6).failed_share == 0.25
    assert Tally(2, 0, 0, 2).failed_share == 0
