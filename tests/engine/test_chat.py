"""Thoughts are told from the answer also where a tokenizer marks them by special tokens."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from resources.engine.chat import ChatFormat
from resources.engine.settings import EMBEDDED
from resources.words.judgement import judge


@pytest.fixture(params=["tiny-tagger", "tiny-llava-next"])
def chat(request: pytest.FixtureRequest) -> ChatFormat:
    folder: Path = EMBEDDED / request.param
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<think>", "</think>", "<|im_end|>"]})
    return ChatFormat(tokenizer, "", (), None)


@pytest.mark.parametrize(
    ("written", "thought"),
    [
        ("<think>a circle moves</think>a red square<|im_end|>", "a circle moves"),
        ("a circle moves</think>a red square", "a circle moves"),
        ("a red square<|im_end|>", None),
    ],
)
def test_special_marks_of_thoughts_reach_the_judgement(
    chat: ChatFormat, written: str, thought: str | None
) -> None:
    ids = chat.tokenizer(written, add_special_tokens=False)["input_ids"]
    judged = judge(chat.decode(ids))
    assert judged.text == "a red square"
    assert judged.details.get("thought") == thought


def test_other_special_tokens_are_left_out_as_ever(chat: ChatFormat) -> None:
    ids = chat.tokenizer("a red square<|im_end|>", add_special_tokens=False)["input_ids"]
    assert chat.decode(ids) == chat.tokenizer.decode(ids, skip_special_tokens=True)
