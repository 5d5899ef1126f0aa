"""Which words of an answer nothing that the model was told holds."""

import re
from functools import lru_cache

from resources.words.synonyms import lemma

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:[.,]\d+)?")
# Words that carry no content of a clip, and those that every description may use.
_COMMON = frozenset(
    """
    a an the this that these those it its they them their he she his her him we you i who which what where when
    and or but nor so yet as if than then while because although though with without within of in on at by for from
    to into onto over under above below between among through across along around near beside behind before after
    during until toward towards up down out off away again back there here is are was were be been being am do does
    did has have had having can could will would may might must shall should not no one some any each every all both
    few more most other another such only own same very too also just still even well much many several
    clip video image picture footage scene shot frame frames camera view shows show shown showing see seen appears
    appear appearing depicts depict features feature captures capture visible background foreground setting move
    moves moving motion movement pan pans panning tilt tilts tilting zoom zooms zooming static left right
    nothing known unknown none
    """.split()  # noqa: SIM905 - a list of words reads best as one
)


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
