"""What the rules about captions find, and what they leave in peace."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.captioners.prompts import presets
from resources.words import quality as quality
from resources.words.quality import Caption

GOOD = (
    "A woman in a red coat walks her dog along a quiet street after the rain. Puddles mirror the shop windows, "
    "and the camera follows them slowly from behind. The light is soft and grey."
)


def one(text: str, finish_reason: str | None = "stop") -> list[Caption]:
    return [Caption("a", text, finish_reason)]


@pytest.mark.parametrize(
    ("text", "finish_reason", "says"),
    [
        (GOOD, "stop", None),
        (GOOD, None, None),
        ("a cat", "stop", None),
        ("", "stop", "no word"),
        (" … !", "stop", "no word"),
        (GOOD[:60], "length", "cut off at the token limit"),
        (GOOD[:60], "max_tokens", "cut off at the token limit"),
    ],
)
def test_empty_and_cut_off_captions(text, finish_reason, says):
    assert_says(quality.incomplete(one(text, finish_reason)), says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD, None),
        ("It is very, very dark, and nothing can be seen.", None),
        (
            "the man and the woman and the man and the woman and the man and the woman dance",
            "in a row|are repeated",
        ),
        (GOOD + " He turns. " + "He looks at the camera and smiles at the viewer. " * 6, "are repeated"),
        (GOOD + " nice nice nice", "in a row: nice"),
    ],
)
def test_captions_that_go_round_in_circles(text, says):
    assert_says(quality.repetitive(one(text)), says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD, None),
        (
            "Describe this video so that somebody could film it again from your words: the subject",
            "says the prompt",
        ),
        ("A red train crosses a stone viaduct.", None),
        (
            "Seen from a drone, a red train crosses a stone viaduct above a forest in autumn colours.",
            "says the prompt",
        ),
    ],
)
def test_captions_that_repeat_the_prompt_or_its_examples(text, says):
    prompts = [preset.text for preset in presets().values()]
    assert_says(quality.echoes(one(text), prompts), says)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (GOOD, 3),
        ("One. Two! Three? four", 3 + 1 - 1),
        ("No full stop", 1),
        ("Mr. Smith opens a 3.5 m door, e.g. of wood. It closes.", 2),
        ('He says "Stop!" Then he runs.', 2),
        ("一个女人在走路。她很高兴。", 2),
        ("Wait... What happens?", 2),
    ],
)
def test_sentences_are_counted(text, count):
    assert quality.sentences(text) == count


@pytest.mark.parametrize(
    ("prompt", "limit"),
    [
        ("Describe the video in details.", None),
        ("Write at most five sentences.", 5),
        ("Write three to five detailed sentences.", 5),
        ("Tell in at most six\nsentences what is in the clip", 6),
        ("Use 2 short sentences.", 2),
    ],
)
def test_the_limit_is_the_one_the_prompt_sets(prompt, limit):
    assert quality.sentence_limit([prompt]) == limit
    assert_says(
        quality.too_long(one("It moves. " * 7), limit), f"7 sentences, {limit} allowed" if limit else None
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD, None),
        ("Ein Mann geht mit dem Hund durch den Park und die Sonne scheint auf die Bäume.", "in de"),
        ("一个穿红色外套的女人在雨后的街道上遛狗。", "in zh"),
        ("Der Hund", None),
        ("Labrador, Golden Retriever, Dachshund, Weimaraner, Rottweiler, Boxer", None),
    ],
)
def test_only_what_is_clearly_in_another_language_is_found(text, says):
    assert_says(quality.wrong_language(one(text), ["en"]), says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pan_left+zoom_in", None),
        ("static", None),
        ("pan left", "not a label: 'pan left'"),
        ("pan_left+", "not a label: ''"),
        ("static+static", "a label is repeated"),
    ],
)
def test_labels_outside_the_vocabulary(text, says):
    assert_says(quality.foreign_labels(one(text), ["pan_left", "zoom_in", "static"]), says)


def test_near_duplicates_are_found_across_clips_but_not_between_copies_of_one_file():
    words = GOOD.split()
    almost = " ".join([*words[:-1], "gray."])
    captions = [
        Caption("a", GOOD, source="x"),
        Caption("b", almost, source="y"),
        Caption("c", "A bird lands on a wire and looks around.", source="z"),
        Caption("d", "Two boats rock on the water.", source="w"),
        Caption("e", "Two boats rock on the water.", source="w"),
    ]
    found = {flaw.id: flaw.reason for flaw in quality.near_duplicates(captions)}
    assert set(found) == {"a", "b"}
    assert found["b"].endswith("the words of a")


def test_near_duplicates_are_the_same_as_by_comparing_all_pairs():
    chance = random.Random(0)
    base = [[chance.choice("abcdefghij") for _ in range(chance.randint(3, 40))] for _ in range(12)]
    captions = []
    for number in range(120):
        words = list(chance.choice(base))
        for _ in range(chance.randint(0, 2)):
            words[chance.randrange(len(words))] = chance.choice("abcdefghij")
        captions.append(Caption(str(number), " ".join(words), source=str(number)))
    for near in (0.5, 0.7, 0.9):
        found = {flaw.id: flaw.severity for flaw in quality.near_duplicates(captions, near)}
        runs = {
            caption.id: set(zip(*(caption.text.split()[k:] for k in range(3)), strict=False))
            for caption in captions
        }
        expected = {}
        for one_id in runs:
            best = max(
                len(runs[one_id] & runs[other]) / len(runs[one_id] | runs[other])
                for other in runs
                if other != one_id
            )
            if best >= near:
                expected[one_id] = best
        assert found == pytest.approx(expected)


@given(st.lists(st.text(max_size=80), max_size=6))
def test_no_text_upsets_a_rule(texts):
    captions = [Caption(str(number), text) for number, text in enumerate(texts)]
    for flaws in (
        quality.incomplete(captions),
        quality.repetitive(captions),
        quality.echoes(captions, texts),
        quality.too_long(captions, 1),
        quality.near_duplicates(captions),
        quality.wrong_language(captions, ["en"]),
        quality.foreign_labels(captions, ["static"]),
    ):
        assert {flaw.id for flaw in flaws} <= {caption.id for caption in captions}


def assert_says(flaws: Iterable[quality.Flaw], says: str | None) -> None:
    if says is None:
        assert list(flaws) == []
    else:
        (flaw,) = flaws
        assert any(words in flaw.reason for words in says.split("|")), flaw
