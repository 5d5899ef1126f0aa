import pytest

from resources.tagger.parsing import UnreadableTags, normalise_tags, parse_tags, says_nothing
from tests.golden import golden_json

WHAT_IS_MEANT = {
    "[dog, person]": ["dog", "person"],
    "Here is the list: [dog, person]": ["dog", "person"],
    "[dog,\nperson]": ["dog", "person"],
    "[]": [],
    "[ ]": [],
    "no objects": [],
    "no objects.": [],
    "[dog, person": ["dog", "person"],
    "dog, person]": ["dog", "person"],
    "] x [a]": ["a"],
    "[[a, b], [c]]": ["a", "b", "c"],
    "[a] and [b]": ["a", "b"],
    "'[run, laugh]'": ["run", "laugh"],
    "I couldn't find any\nactions": [],
    "None": [],
    "[NONE]": [],
    "[a, b]assistant\n\n[c]": ["a", "b"],
    "x": ["x"],
}
BLANK = {"", " "}
"""Answers of the goldens that say nothing at all, which is a failure and not *none found*."""


def test_every_golden_answer_is_judged_here() -> None:
    assert {
        answer for answer, _ in golden_json("golden_tag_parse.json")["parse"]
    } == WHAT_IS_MEANT.keys() | BLANK


@pytest.mark.parametrize(("answer", "original"), golden_json("golden_tag_parse.json")["parse"])
def test_no_tag_of_a_golden_answer_is_lost(answer: str, original: str) -> None:
    if answer in BLANK:
        with pytest.raises(UnreadableTags, match="nothing"):
            parse_tags(answer)
        return
    assert parse_tags(answer) == WHAT_IS_MEANT[answer]


@pytest.mark.parametrize(
    ("answer", "tags"),
    [
        ("- a dog\n- two cats", ["a dog", "two cats"]),
        ("1. dog\n2) cat", ["dog", "cat"]),
        ("Objects: dog, cat.", ["dog", "cat"]),
        ('["dog", "cat"]', ["dog", "cat"]),
        ("[dog, cat, ho", ["dog", "cat", "ho"]),
        ("[pick up, nothing]", ["pick up"]),
        ("[find, see]", ["find", "see"]),
        ("[dog]<|eot_id|>\n[cat]", ["dog"]),
        ("There are no objects mentioned.", []),
        ("N/A", []),
        ("none found", []),
        ("I cannot identify any actions in the caption.", []),
        ("没有", []),
        # What models wrote that was taken for tags.
        ("Here: [girl, lake]", ["girl", "lake"]),
        ("Here: girl, lake", ["girl", "lake"]),
        ("Sure! Here are the objects: girl, lake", ["girl", "lake"]),
        ("assistant\n\n[girl, lake]", ["girl", "lake"]),
        ("<think>[a, b] or so?</think>[girl, lake]", ["girl", "lake"]),
        ("[girl, lake]<|im_end|>", ["girl", "lake"]),
        ("[girl, lake] Note [1]", ["girl", "lake"]),
        ("girl, lake [1]", ["girl", "lake"]),
        ("**girl**, *lake*", ["girl", "lake"]),
        ("- **girl**: rides a bicycle along the water\n- **lake**", ["girl", "lake"]),
        ("girl, lake, and tree", ["girl", "lake", "tree"]),
        ("girl, lake, etc.", ["girl", "lake"]),
        ("[girl, lake, and so on]", ["girl", "lake"]),
        ("女孩、自行车，湖", ["女孩", "自行车", "湖"]),
        ("【女孩，湖等】", ["女孩", "湖"]),
        ("女孩、湖等等。", ["女孩", "湖"]),
        ("Sure! Here's the list:\n\n- girl\n- lake\n\nLet me know if you need more!", ["girl", "lake"]),
        ("{girl, lake}", ["girl", "lake"]),
        ("girl | lake", ["girl", "lake"]),
        ("girl / lake", ["girl", "lake"]),
        ("**Objects:** girl, lake", ["girl", "lake"]),
        ("Tags: girl, lake, among others", ["girl", "lake"]),
        ("(girl, lake)", ["girl", "lake"]),
        ('```json\n["girl", "lake"]\n```', ["girl", "lake"]),
        ("[sand, lander, order]", ["sand", "lander", "order"]),
    ],
)
def test_other_shapes_of_an_answer(answer: str, tags: list[str]) -> None:
    assert parse_tags(answer) == tags


def test_prose_is_not_mistaken_for_tags() -> None:
    with pytest.raises(UnreadableTags, match="no list in the answer"):
        parse_tags("The clip is about a day in the life of a dog that runs over a wide green hill")


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot provide a list.",
        "I'm sorry, but I can't help with that.",
        "抱歉，我无法提供列表。",
        "Note [1]",
        "<think>The caption names a girl",
        "[list]<|im_end|>"[6:],
    ],
)
def test_a_refusal_a_thought_and_a_footnote_are_no_tags(answer: str) -> None:
    with pytest.raises(UnreadableTags):
        parse_tags(answer)


@pytest.mark.parametrize(
    "text", ["none", "None.", "no actions", "nothing", "'NONE'", "no physical objects", ""]
)
def test_ways_to_say_nothing(text: str) -> None:
    assert says_nothing(text)


@pytest.mark.parametrize("text", ["nun", "no entry sign", "object", "action figure", "find", "hearing"])
def test_tags_that_sound_like_nothing(text: str) -> None:
    assert not says_nothing(text)


def test_normalising_keeps_order_and_plurals() -> None:
    assert normalise_tags(["Dogs", "dog", "  Red   Ball ", "DOG"]) == ["dogs", "dog", "red ball"]
