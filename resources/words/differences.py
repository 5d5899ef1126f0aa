"""What one caption says that the others of the same clip do not."""

import re
from collections.abc import Sequence

from resources.words.synonyms import lemma

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_FUNCTION_WORDS = """
    a an the and or but of in on at to from by with for as is are was were be been being it its this that these those
    there here he she they his her their them which who while where when then than into onto over under up down out
    off also very has have had can could may might some any other not no so such
"""
_UNREMARKABLE = frozenset(_FUNCTION_WORDS.split())


def own_words(captions: Sequence[str]) -> list[list[str]]:
    """Each caption cut into pieces, alternately shared and its own: ``["A ", "red", " ball"]``.

    A word is a caption's own when no other caption of the clip has it in any form (case, plural, -ing);
    function words never are. Pieces at odd places are own words; joined, the pieces give the caption again.
    With fewer than two captions there is nothing to compare.
    """
    stems = [{lemma(word.lower()) for word in _WORD.findall(caption)} for caption in captions]
    marked = []
    for place, caption in enumerate(captions):
        others = set().union(*stems[:place], *stems[place + 1 :])
        marked.append(_cut(caption, others) if len(captions) > 1 else [caption])
    return marked


def _cut(caption: str, others: set[str]) -> list[str]:
    pieces, end = [""], 0
    for match in _WORD.finditer(caption):
        word = match[0]
        if word.lower() in _UNREMARKABLE or lemma(word.lower()) in others:
            continue
        between = caption[end : match.start()]
        if len(pieces) > 1 and between.isspace():  # neighbours make one mark
            pieces[-2] += between + word
        else:
            pieces[-1] += between
            pieces += [word, ""]
        end = match.end()
    pieces[-1] += caption[end:]
    return pieces
