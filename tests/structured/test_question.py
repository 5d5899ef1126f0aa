"""What is asked for a structured caption, and what of an answer is kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from resources.annotation.clip import Clip
from resources.annotation.outcome import ClipError, ErrorKind
from resources.structured.grounding import ungrounded
from resources.structured.kind import Structured
from resources.structured.question import StructuredQuestion
from vidcap_assets.collection.settings import model

KNOWN = {
    "captions_qwen": "A black dog runs over the grass.\nIt barks.",
    "camera_motion": "pan_left",
    "tags_objects": '["dog", "grass"]',
    "tags_actions": "[]",
}
ANSWER = {
    "short": "A dog runs.",
    "medium": "A black dog runs over the grass.",
    "long": "A black dog runs over the grass and barks. The camera pans left.",
    "subject": "a black dog",
    "environment": "grass",
    "motion": "runs, barks",
    "camera": "The camera pans left.",
    "style": "",
}


def clip(**answers: str) -> Clip:
    return Clip("c", Path("c.mp4"), answers=KNOWN | answers)


def question(**said: Any) -> StructuredQuestion:
    (made,) = Structured.model_validate({"model": "m", **said}).questions()
    assert isinstance(made, StructuredQuestion)
    return made


def test_the_model_is_told_a_line_for_each_answer() -> None:
    assert question().told(clip()) == (
        "captions_qwen: A black dog runs over the grass. It barks.\ncamera_motion: pan_left\ntags_objects: dog, grass"
    )


def test_the_text_of_the_list_is_told_where_it_is_read() -> None:
    assert question().told(Clip("c", Path("c.mp4"), answers={"source": "A pug."})) == "source: A pug."


def test_two_worked_examples_stand_before_the_clip_and_follow_their_own_rules() -> None:
    asked = question()
    system, *examples, last = asked.turns(clip())
    assert [turn["role"] for turn in examples] == ["user", "assistant"] * 2
    assert "short: one sentence" in system["content"]
    assert last == {"role": "user", "content": asked.told(clip())}
    for known, answer in zip(examples[::2], examples[1::2], strict=True):
        _, details = asked.read(answer["content"], Clip("e", Path("e.mp4"), answers={}))
        assert ungrounded(" ".join(details["fields"].values()), known["content"]) == []


@pytest.mark.parametrize(
    "around", ["{}", "```json\n{}\n```", "Here it is:\n{}\nI hope {{this}} helps.", "{{oops {}"]
)
def test_the_object_is_found_in_what_stands_around_it(around: str) -> None:
    asked = question()
    judged = asked.judge(around.format(json.dumps(ANSWER)))
    value, details = asked.read(judged.text, clip())
    assert json.loads(value) == ANSWER
    assert details["fields"] == {name: text for name, text in ANSWER.items() if text}
    assert details["ungrounded"] == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("A black dog runs.", "no JSON object"),
        (json.dumps(ANSWER)[:-20], "no JSON object"),
        (json.dumps(ANSWER).replace('"', "'"), "no JSON object"),
        (json.dumps([ANSWER["short"]]), "no JSON object"),
        (json.dumps(ANSWER | {"mood": "happy"}), "mood"),
        (json.dumps(ANSWER | {"short": 3}), "short: 3 is not of type 'string'"),
        (json.dumps(ANSWER | {"short": ""}), "short"),
        (json.dumps({"short": "A dog."}), "'medium' is a required property"),
        ('{"short": NaN}', "no JSON object"),
        ('{"a":' * 2000, "no JSON object"),
    ],
)
def test_an_answer_that_does_not_follow_the_schema_fails_and_says_why(said: str, why: str) -> None:
    with pytest.raises(ClipError, match="does not follow the schema") as caught:
        question().read(said, clip())
    assert caught.value.kind is ErrorKind.INVALID_ANSWER
    assert why in caught.value.message


def test_a_refusal_inside_a_field_is_an_answer_to_be_read() -> None:
    sorry = json.dumps(ANSWER | {"style": "I'm sorry, I cannot tell."})
    assert question().judge(sorry).verdict.is_answer
    assert not question().judge("I'm sorry, I cannot help with that.").verdict.is_answer


@pytest.mark.parametrize("motion", ["pan_right", "static", "zoom_in", "pan_right+tilt_up"])
def test_camera_words_that_contradict_the_measured_motion_fail(motion: str) -> None:
    with pytest.raises(
        ClipError, match=f"says pan_left where the camera's motion is {motion.replace('+', '.')}"
    ) as caught:
        question().read(json.dumps(ANSWER), clip(camera_motion=motion))
    assert caught.value.kind is ErrorKind.CONTRADICTION
    question(camera=None).read(json.dumps(ANSWER), clip(camera_motion=motion))


def test_words_that_nothing_says_are_listed() -> None:
    invented = ANSWER | {"long": "A black labrador runs on grassy ground; the dogs bark at 2 cats."}
    _, details = question().read(json.dumps(invented), clip())
    assert details["ungrounded"] == ["labrador", "grassy", "ground", "2", "cats"]


def test_a_schema_of_ones_own_becomes_columns() -> None:
    properties = {
        "title": {"type": "string", "description": "three words"},
        "people": {"type": "integer"},
        "is_night": {"type": "boolean"},
        "colours": {"type": "array", "items": {"type": "string"}},
        "parts": {"type": "object"},
    }
    entry = Structured.model_validate(
        {"model": "m", "name": "scene", "json_schema": {"type": "object", "properties": properties}}
    )
    (declared,) = entry.declares()
    assert declared.asset == "scene"
    assert {column.name: column.type for column in declared.columns} == {
        "scene_title": "VARCHAR",
        "scene_people": "BIGINT",
        "scene_is_night": "BOOLEAN",
        "scene_colours": "VARCHAR[]",
        "scene_parts": "JSON",
        "scene_ungrounded": "VARCHAR[]",
    }
    assert declared.parts == {"scene.title": "$.fields.title"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"json_schema": {"type": "array"}}, "of type object"),
        ({"json_schema": {"type": "object", "properties": {"a": {"type": "text"}}}}, "no JSON Schema"),
        ({"json_schema": {"type": "object", "properties": {"A b": {}}}}, "small letters"),
        ({"examples": [{"known": "x", "answer": {}}]}, "a json_schema of your own"),
        (
            {
                "json_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
                "examples": [{"known": "x", "answer": {"a": 1}}],
            },
            "an example is",
        ),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Structured.model_validate({"model": "m", **said})


def test_a_text_that_is_only_a_field_leaves_the_captions_to_those_that_read_the_text() -> None:
    settings = model(["camera_motion", "openai", "structured"]).model_validate(
        {
            "annotators": [
                {"kind": "openai", "name": "qwen", "model": "m", "base_url": "http://127.0.0.1:1/v1"},
                {"kind": "structured", "model": "m"},
            ],
            "text": {"order": ["structured.medium"]},
        }
    )
    assert settings.text_order == ["structured.medium"]
    assert settings.read_order(settings.text.order) == ["captions_qwen"]
    assert settings.read_order(["structured.medium", "source", "qwen"]) == ["source", "captions_qwen"]
