"""Which words of an answer nothing that the model was told holds."""

import re
from functools import lru_cache
from pathlib import Path

from resources.words.synonyms import lemma

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:[.,]\d+)?")
# Words that carry no content of a clip, and those that every description may use.
_COMMON = frozenset(Path(__file__).with_name("common_words.txt").read_text(encoding="utf-8").split())


def ungrounded(said: str, known: str) -> list[str]:
    """The content words of ``said``, as written and each once, of which ``known`` holds no form.

    English forms of a word are one (`walks`, `walking`); words of other languages count as they are written.
    """
    there = {form for word in _WORD.findall(known.replace("_", " ")) for form in _forms(word.lower())}
    words = dict.fromkeys(word.lower() for word in _WORD.findall(said))
    return [word for word in words if word not in _COMMON and not there.intersection(_forms(word))]


@lru_cache(maxsize=65536)
def _forms(word: str) -> frozenset[str]:
    """The word itself, its dictionary form, and the parts of a compound."""
    parts = word.split("-") if "-" in word else [word]
    return frozenset({word, *parts, *map(lemma, parts)})
