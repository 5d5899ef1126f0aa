import re
from dataclasses import replace
from pathlib import Path

import pytest

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import AnnotatorError, SetupError
from resources.captioners.prompts import (
    check_frames,
    fallback,
    input_key,
    presets,
    prompts_of,
    resolve_prompt,
)

VIDEO = Clip("v", Path("v.mp4"), content_id="c", text="two cats")
IMAGE = Clip("i", Path("i.png"), Kind.IMAGE, content_id="c")
OTHER = {"v": IMAGE, "i": VIDEO}
SEED_NAMES = (
    "image",
    "image-text",
    "image-3ex",
    "video",
    "video-text",
    "video-f1-detail-3ex",
    "video-f1-detail-2ex-text",
    "video-f3-detail-3ex",
    "video-f3-detail-2ex-text",
)


@pytest.mark.parametrize("name", SEED_NAMES)
def test_the_presets_of_the_seed_exist_and_keep_their_promises(name: str) -> None:
    preset = presets()[name]
    assert preset.takes_text == name.endswith("-text")
    assert preset.kind is Kind(name.split("-")[0])
    examples = re.search(r"(\d)ex", name)
    assert preset.text.count("Example ") == (int(examples[1]) if examples else 0)
    if preset.without_text is not None:
        assert not presets()[preset.without_text].takes_text


def test_a_text_preset_takes_the_text_of_the_clip() -> None:
    assert "two cats" in resolve_prompt("video-text", VIDEO).text
    assert "{text}" not in resolve_prompt("video-text", VIDEO).text


@pytest.mark.parametrize("text", [None, "  "])
def test_a_clip_without_text_gets_the_preset_without(text: str | None) -> None:
    clip = Clip("v", Path("v.mp4"), text=text)
    assert resolve_prompt("video-f1-detail-2ex-text", clip).name == "video-f1-detail-3ex"


def test_text_in_braces_is_left_as_it_is() -> None:
    clip = Clip("v", Path("v.mp4"), text="a {text} of {braces}")
    assert resolve_prompt("Improve: {text}", clip).text == "Improve: a {text} of {braces}"


@pytest.mark.parametrize(
    ("name", "clip", "asked"),
    [
        ("image", VIDEO, "video"),
        ("image-text", VIDEO, "video-text"),
        ("video-f3-detail-3ex", IMAGE, "image"),
        ("video-text", IMAGE, "image"),
    ],
)
def test_a_clip_of_the_other_kind_is_asked_by_the_preset_of_its_own(
    name: str, clip: Clip, asked: str
) -> None:
    assert resolve_prompt(name, clip).name == asked
    assert fallback(name, clip) is not None
    assert fallback(name, OTHER[clip.id]) is None


def test_words_that_the_recipe_does_not_have_make_a_new_input(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Clip("i", Path("i.jpg"), Kind.IMAGE, content_id="c")
    before = input_key("video", image)
    assert before != input_key("image", image) == "c"
    monkeypatch.setitem(presets(), "image", replace(presets()["image"], text="Say what you see."))
    assert input_key("video", image) != before


def test_a_literal_prompt_that_wants_text_names_the_clip_without() -> None:
    with pytest.raises(SetupError, match=r"clip 'i'.*has no text"):
        resolve_prompt("Improve: {text}", IMAGE)


def test_auto_gives_each_kind_its_own() -> None:
    assert [resolve_prompt("auto", clip).name for clip in (VIDEO, IMAGE)] == ["video", "image"]
    assert [resolve_prompt("auto-text", clip).name for clip in (VIDEO, IMAGE)] == ["video-text", "image"]


def test_everything_that_may_be_asked_is_listed_for_the_recipe() -> None:
    assert [prompt.name for prompt in prompts_of("auto-text")] == [
        "video-text",
        "video",
        "image-text",
        "image",
    ]
    assert [prompt.text for prompt in prompts_of("What is this?")] == ["What is this?"]


@pytest.mark.parametrize("name", ["video-f2-detail-3ex", "image-4ex", ""])
def test_a_mistyped_name_is_no_prompt(name: str) -> None:
    with pytest.raises(AnnotatorError, match=r"no prompt preset|blank"):
        prompts_of(name)


def test_a_preset_that_speaks_of_other_frames_is_refused() -> None:
    check_frames("video-f3-detail-3ex", 3)
    check_frames("video", 7)
    with pytest.raises(SetupError, match=r"speaks of 3 frame.*num_frames is 1"):
        check_frames("video-f3-detail-3ex", 1)


def test_new_text_makes_a_new_input_only_where_text_is_read() -> None:
    other = Clip("v", Path("v.mp4"), content_id="c", text="three cats")
    assert input_key("video", VIDEO) == input_key("video", other) == "c"
    assert input_key("video-text", VIDEO) != input_key("video-text", other)
