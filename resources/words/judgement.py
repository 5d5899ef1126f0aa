"""The one judgement of an answer: every captioner, tagger and text model asks here what its words are worth."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from resources.words.marks import unmarked
from resources.words.phrases import refuses, says_nothing

_QUOTED = 200


class Verdict(StrEnum):
    """What an answer is worth. ``truncated``: it says something, and the limit on tokens cut it off."""

    OK = "ok"
    EMPTY = "empty_output"
    REFUSED = "refused"
    TRUNCATED = "truncated"

    @property
    def is_answer(self) -> bool:
        """Is there something to keep?"""
        return self in (Verdict.OK, Verdict.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Judgement:
    """``text``: the answer without marks and thoughts; ``reason``: why it is none; ``details``: what came off it."""

    verdict: Verdict
    text: str
    reason: str
    details: dict[str, Any]


def judge(written: str, *, cut_off: bool = False, is_none: Callable[[str], bool] | None = None) -> Judgement:
    """Judge what a model wrote.

    Args:
        written: its words as they came, with special tokens or without.
        cut_off: the limit on new tokens ended it.
        is_none: says that there is none, which is an answer to a question for a list.
    """
    parts = unmarked(written)
    details: dict[str, Any] = {}
    if parts.thought:
        details["thought"] = parts.thought
    if parts.marks:
        details["marks"] = list(parts.marks)
    text = parts.text
    if text and is_none is not None and is_none(text):
        return Judgement(Verdict.OK, text, "", details)
    if says_nothing(text):
        return Judgement(Verdict.EMPTY, text, _why_empty(text, parts.thought, cut_off), details)
    if refuses(text):
        return Judgement(Verdict.REFUSED, text, f"the model refused: {shortened(text)}", details)
    # A thought or a mark behind the answer was cut off, not the answer.
    return Judgement(Verdict.TRUNCATED if cut_off else Verdict.OK, text, "", details)


def _why_empty(text: str, thought: str, cut_off: bool) -> str:
    if text:
        return f"the model said nothing: {shortened(text)!r}"
    if thought:
        limit = "the limit on tokens came before" if cut_off else "it ended without"
        return f"the model only thought; {limit} its answer"
    if cut_off:
        return "the limit on tokens was spent on thinking, before the first word of an answer"
    return "the model answered with nothing"


def shortened(text: str, most: int = _QUOTED) -> str:
    """The text in one line, cut to a length that is fit for a message."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}…"
