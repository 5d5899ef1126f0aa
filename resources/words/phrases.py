"""Does an answer say that there is nothing to say, or that the model will not or cannot say it?

The phrases of eleven languages stand in ``phrases.yaml`` beside this file.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

import yaml

from resources.words.marks import is_noise

_AROUND = " \t\r\n.,;:!?…·•-–—_*#~=+|/\\<>()[]{}\"'`´‘’“”„«»‹›「」『』【】〔〕（）［］《》。，、！？：；"
_QUOTED = re.compile(r"[\"'“‘«「](?P<inner>[^\"“”«»「」]*)[\"'”’»」]")
_LONGEST_NOTHING = 80
_MAKES_UP_FOR_IT = 300
# A refusal begins with itself; a pattern that reads on takes minutes for a text that a model spun out of one phrase.
_READ = 400


def says_nothing(text: str) -> bool:
    """Is there no word in it, or only a way to say that there is nothing (``N/A``, ``[no caption]``, ``なし``)?"""
    if not any(char.isalnum() or is_noise(char) for char in text):
        return True
    words = re.sub(r"[\s_]+", " ", text.strip(_AROUND)).replace("-", " ").strip()
    if len(words) > _LONGEST_NOTHING:
        return False
    return bool(_pattern("nothing").fullmatch(words) or _pattern("placeholder").fullmatch(text.strip()))


def refuses(text: str) -> bool:
    """Does the text begin by refusing, or by asking for the picture?

    Not so where the words are heard or read in the picture (``"Sorry, we can't serve you", reads a sign``), and where
    a long description follows (``I can't name the people. However, …``).
    """
    words = text.strip(" \t\r\n*_#>")
    if (quoted := _QUOTED.fullmatch(words)) is not None:
        words = quoted["inner"].strip()
    elif _pattern("heard_or_read").search(words[:240]):
        return False
    match = _pattern("refused").match(words[:_READ])
    if match is None:
        return False
    return len(words) < _MAKES_UP_FOR_IT or not _pattern("turn").search(words, match.end())


@cache
def _pattern(name: str) -> re.Pattern[str]:
    phrases = _phrases()
    some = phrases[name]
    pattern = _either(some if isinstance(some, list) else chain.from_iterable(some.values()))
    if name == "refused":
        pattern = rf"(?:{_either(phrases['lead'])}\b[\s,.!:;—–-]*(?:but |and |so |however,? |that )?){{0,4}}{pattern}"
    for part, choices in phrases["parts"].items():
        pattern = pattern.replace(f"@{part}@", _either(choices))
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


@cache
def _phrases() -> dict[str, Any]:
    return yaml.safe_load(files("resources.words").joinpath("phrases.yaml").read_text("utf-8"))


def _either(patterns: Iterable[str]) -> str:
    return "(?:" + "|".join(patterns) + ")"
