"""Spellings of one tag, folded together for counting. Forms of a word, never words of like meaning.

Two tags are one where they differ only in letter case, surrounding punctuation, hyphens or underscores for
spaces, a leading article, the number of their last word (`ball`, `balls`; `child`, `children`), or for actions
the form of their first word (`run`, `runs`, `running`). `car` and `automobile` stay apart: whether they mean the
same is for the reader to say.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

_ARTICLE = re.compile(r"^(?:a|an|the)\s+")
_SPACES = re.compile(r"[\s_\-]+")


def fold_tags(counts: Mapping[str, int], *, verbs: bool = False) -> dict[str, str]:
    """The name under which each tag is counted: of the tags that are one, the commonest spelling.

    Args:
        counts: clips for each tag as written.
        verbs: the tags are actions, so their first word is a verb form.
    """
    plain = {tag: plain_tag(tag) for tag in counts}
    groups: dict[str, list[str]] = defaultdict(list)
    for tag, form in plain.items():
        groups[_base(form, verbs)].append(tag)
    names = {}
    for tags in groups.values():
        totals: dict[str, int] = defaultdict(int)
        for tag in tags:
            totals[plain[tag]] += counts[tag]
        name = min(totals, key=lambda form: (-totals[form], len(form), form))
        names.update(dict.fromkeys(tags, name))
    return names


def plain_tag(tag: str) -> str:
    """A tag in small letters with single spaces, without articles and punctuation around it."""
    spaced = _SPACES.sub(" ", tag.casefold()).strip(" .,;:!?\"'`()[]{}*#")
    return _ARTICLE.sub("", spaced) or spaced


def lemma(word: str) -> str:
    """The English dictionary form of a word: `ball` for `balls`, `run` for `running`."""
    from simplemma import lemmatize

    return lemmatize(word, "en") if word else word


def _base(form: str, verbs: bool) -> str:
    *before, last = form.split(" ")
    # As a noun a `painting` is no `paint`.
    words = [*before, last if last.endswith(("ing", "ed")) else lemma(last)]
    if verbs:
        words[0] = lemma(words[0])
    return " ".join(words)
