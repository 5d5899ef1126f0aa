import pytest

from resources.words.synonyms import fold_tags


@pytest.mark.parametrize(
    ("counts", "verbs", "names"),
    [
        ({"Red Ball": 1, "red ball": 2, "a red-ball": 1}, False, {"red ball"}),
        ({"ball": 1, "balls": 5}, False, {"balls"}),
        ({"ball": 5, "balls": 1}, False, {"ball"}),
        ({"glasses": 5}, False, {"glasses"}),
        ({"glasses": 5, "jeans": 2, "bus": 1}, False, {"glasses", "jeans", "bus"}),
        ({"bus": 2, "buses": 1}, False, {"bus"}),
        ({"city": 2, "cities": 1}, False, {"city"}),
        ({"child": 1, "children": 3}, False, {"children"}),
        ({"car": 3, "automobile": 2}, False, {"car", "automobile"}),
        ({"red ball": 1, "blue balls": 1, "blue ball": 1}, False, {"red ball", "blue ball"}),
        ({"run": 1, "runs": 1, "running": 5}, True, {"running"}),
        ({"paint": 1, "painting": 5}, False, {"paint", "painting"}),
        ({"dance": 2, "dancing": 1}, True, {"dance"}),
        ({"ring": 1, "r": 1}, True, {"ring", "r"}),
        ({"standing": 4}, True, {"standing"}),
        ({"walking the dog": 1, "walk the dog": 2}, True, {"walk the dog"}),
        ({"the": 1}, False, {"the"}),
        ({"": 1}, False, {""}),
    ],
)
def test_only_forms_of_one_word_are_one_tag(counts: dict[str, int], verbs: bool, names: set[str]) -> None:
    folded = fold_tags(counts, verbs=verbs)
    assert set(folded) == set(counts)
    assert set(folded.values()) == names


def test_folding_again_changes_nothing() -> None:
    names = set(fold_tags({"balls": 2, "Ball": 1, "children": 1, "child": 4, "runs": 1}).values())
    assert set(fold_tags(dict.fromkeys(names, 1)).values()) == names
