"""The one judgement: every row is something that a model or a server really writes."""

import json
from pathlib import Path

import pytest

from resources.words.judgement import Verdict, judge

ANSWERS = Path(__file__).parent / "answers"
CAPTION = "A red circle moves from left to right."

TAKEN_OFF = {
    # thoughts
    f"<think>The user wants a caption.</think>\n\n{CAPTION}": "The user wants a caption.",
    f"The user wants a caption.\n</think>\n\n{CAPTION}": "The user wants a caption.",
    f"</think>\n\n{CAPTION}": "",
    f"<think>\n\n</think>\n\n{CAPTION}": "",
    f"<THINK>hm</Think>{CAPTION}": "hm",
    f"<thinking>hm</thinking>\n{CAPTION}": "hm",
    f"<thought>hm</thought>{CAPTION}": "hm",
    f"<reasoning>hm</reasoning>{CAPTION}": "hm",
    f"<reflection>hm</reflection>\n{CAPTION}": "hm",
    f'<think time="3s">hm</think>{CAPTION}': "hm",
    f"<seed:think>hm</seed:think>{CAPTION}": "hm",
    f"<longcat_think>hm</longcat_think>{CAPTION}": "hm",
    f"[THINK]hm[/THINK]{CAPTION}": "hm",
    f"[think]hm[/think]{CAPTION}": "hm",
    f"◁think▷hm◁/think▷{CAPTION}": "hm",
    f"◁/think▷{CAPTION}": "",
    f"<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>{CAPTION}<|END_RESPONSE|>": "hm",
    f"<|begin_of_thought|>hm<|end_of_thought|>\n<|begin_of_solution|>{CAPTION}<|end_of_solution|>": "hm",
    f"<unused94>thought\nhm<unused95>{CAPTION}": "hm",
    f"<|channel>thought\nhm<channel|>{CAPTION}<turn|>": "hm",
    f"<think>a<think>b</think>c</think>{CAPTION}": "a\nb\nc",
    f"<think>a<think>b</think>{CAPTION}": "a\nb",
    f"<think>a</think>b</think>{CAPTION}": "a\nb",
    f"<think>a</think><think>b</think>{CAPTION}": "a\nb",
    f"<think>a</think>\n{CAPTION}\n<think>b</think>": "a\nb",
    f"{CAPTION}<think>Wait, was it red?": "Wait, was it red?",
    f"{CAPTION}\n<think>\nWait, was it red?": "Wait, was it red?",
    f"&lt;think&gt;hm&lt;/think&gt;{CAPTION}": "hm",
    f"<think>hm</think><answer>{CAPTION}</answer>": "hm",
    f"hm<answer>{CAPTION}": None,
    f"Thinking: hm\nAnswer: {CAPTION}": "hm",
    f"Here is my thought process:\nhm\nHere is my response:\n{CAPTION}": "hm",
    f"<|thought_start|>hm<|thought_end|>{CAPTION}": "hm",
    f"<antThinking>hm</antThinking>{CAPTION}": "hm",
    f"<planning>hm</planning>{CAPTION}": "hm",
    f'<details type="reasoning">hm</details>\n{CAPTION}': "hm",
    f"**Thinking:** hm\n\n**Caption:** {CAPTION}": "hm",
    f"Thinking...\nhm\n...done thinking.\n\n{CAPTION}": "hm",
    # gpt-oss
    f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{CAPTION}<|return|>": "hm",
    f"<|channel|>final<|message|>{CAPTION}": "",
    f"analysisThe user wants one.assistantfinal{CAPTION}": "The user wants one.",
    # marks of the format
    f"{CAPTION}<|im_end|>": "",
    f"{CAPTION}</s>": "",
    f"<s>{CAPTION}</s></s>": "",
    f"{CAPTION}<|endoftext|>": "",
    f"{CAPTION}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd now?": "",
    f"{CAPTION}<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>": "",
    f"<|im_start|>assistant\n{CAPTION}<|im_end|>": "",
    f"<|start_header_id|>assistant<|end_header_id|>\n\n{CAPTION}": "",
    f"assistant\n\n{CAPTION}": "",
    f"assistant\n{CAPTION}": "",
    f"ASSISTANT: {CAPTION}": "",
    f"Assistant: {CAPTION}": "",
    f"<start_of_turn>model\n{CAPTION}<end_of_turn>": "",
    f"model\n{CAPTION}": "",
    f"<|assistant|>\n{CAPTION}<|user|>": "",
    f"{CAPTION}\nUSER: And now?": "",
    f"<|begin_of_box|>{CAPTION}<|end_of_box|>": "",
    f"<answer><|begin_of_box|>{CAPTION}<|end_of_box|></answer>": "",
    f"{CAPTION}<｜end▁of▁sentence｜>": "",
    f"[INST] {CAPTION} [/INST]": "",
    f"{CAPTION}<end_of_utterance>": "",
    f"{CAPTION}<eos><pad><pad>": "",
    f"{CAPTION}<|im_": "",
    f"```\n{CAPTION}\n```": "",
    f"```text\n{CAPTION}\n```": "",
    f"{CAPTION}[end of text]": "",
    f"[|assistant|]{CAPTION}[|endofturn|]": "",
    f"<extra_id_0>{CAPTION}": "",
    # what nobody sees
    f"\u200b{CAPTION}\u200b": "",
    f"\ufeff \n{CAPTION}\n\x00": "",
}


@pytest.mark.parametrize(("written", "thought"), TAKEN_OFF.items())
def test_marks_and_thoughts_come_off_and_are_kept_beside_the_answer(
    written: str, thought: str | None
) -> None:
    judged = judge(written)
    assert (judged.verdict, judged.text) == (Verdict.OK, CAPTION)
    if thought is not None:
        assert judged.details.get("thought", "") == thought


THOUGHT_ONLY = [
    "<think>The user wants a caption. I see a red",
    "<think>The user wants a caption.</think>",
    "<think>",
    "<think></think>\n\n",
    "<thinking>\nhm",
    "[THINK]hm",
    "◁think▷hm",
    "<think>a</think><think>b",
    "hm</think>",
    "<|channel|>analysis<|message|>hm",
    "analysisThe user wants a caption. I see",
    "<|START_THINKING|>hm",
    "<seed:think>hm",
    "<think>hm</think><|im_end|>",
    "<think>hm</think>N/A",
    "<thi",
    '<tool_call>\n{"name": "see"}\n</tool_call>',
]


@pytest.mark.parametrize("written", THOUGHT_ONLY)
def test_a_thought_without_an_answer_is_empty(written: str) -> None:
    assert judge(written).verdict is Verdict.EMPTY
    assert judge(written, cut_off=True).verdict is Verdict.EMPTY


NOTHING = json.loads(ANSWERS.joinpath("nothing.json").read_text("utf-8"))


@pytest.mark.parametrize("written", NOTHING)
def test_ways_to_say_nothing(written: str) -> None:
    assert judge(written).verdict is Verdict.EMPTY


REFUSALS = json.loads(ANSWERS.joinpath("refusals.json").read_text("utf-8"))


@pytest.mark.parametrize("written", REFUSALS)
def test_refusals_in_ten_languages(written: str) -> None:
    assert judge(written).verdict is Verdict.REFUSED


def test_a_caption_cut_off_is_told_and_kept() -> None:
    judged = judge("A red circle moves from left to", cut_off=True)
    assert (judged.verdict, judged.text) == (Verdict.TRUNCATED, "A red circle moves from left to")
    assert judged.verdict.is_answer


def test_what_came_off_is_in_the_details() -> None:
    judged = judge(f"<think>hm</think>{CAPTION}<|im_end|>")
    assert judged.details == {"thought": "hm", "marks": ["<|im_end|>"]}
    assert judge(CAPTION).details == {}


def test_a_long_description_with_a_reservation_is_kept() -> None:
    written = (
        "I can't identify the people. However, the video shows " + "two men who play chess in a park, " * 12
    )
    assert judge(written).verdict is Verdict.OK


def test_reasons_are_one_line() -> None:
    for written in ("N/A", "<think>a\nb</think>", "", "I'm sorry,\n\nI can't help with that."):
        assert judge(written).reason
        assert "\n" not in judge(written).reason
