"""Answers in process are held to the schema: random weights give valid JSON, whatever they want to say."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer
from resources.structured.kind import Structured
from resources.text_model.local import LocalAnswers, TextModel
from tests.golden.tiny_models import write_chat_model

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "people", "colours"],
    "properties": {
        "title": {"type": "string", "maxLength": 12},
        "people": {"type": "integer", "minimum": 0, "maximum": 99},
        "colours": {"type": "array", "maxItems": 2, "items": {"enum": ["red", "green", "blue"]}},
    },
}


@pytest.mark.parametrize("batch_size", [1, 16])
def test_random_weights_answer_by_the_schema(batch_size: int, tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "model")
    entry = Structured.model_validate(
        {"model": str(folder), "device": "cpu", "json_schema": SCHEMA, "max_new_tokens": 400}
    )
    (question,) = entry.questions()
    model = TextModel(entry, tmp_path, json.dumps(SCHEMA))
    annotator = LocalAnswers(question, model)
    clips = [Clip(f"{n}", Path("c.mp4"), answers={"captions_a": f"Clip {n} " * n}) for n in range(1, 17)]
    validator = Draft202012Validator(SCHEMA)
    said = []
    for start in range(0, 16, batch_size):
        batch = [annotator.prepare(clip) for clip in clips[start : start + batch_size]]
        for answer in annotator.annotate(batch):
            assert isinstance(answer, Answer), answer
            validator.validate(json.loads(answer.value))
            assert answer.finish_reason == "stop"
            said.append(answer.value)
    model.close()
    assert len(said) == 16
