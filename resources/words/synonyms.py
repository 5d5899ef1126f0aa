"""Spellings of one tag, folded together for counting. Forms of a word, never words of like meaning.

Two tags are one where they differ only in

1. letter case, surrounding punctuation, hyphens or underscores for spaces, or a leading article;
2. the number of their last word (`ball`, `balls`; `child`, `children`), or for actions the form of their
   first word (`run`, `runs`, `running`), **and the shorter form is itself a tag of this collection**.

The second condition keeps `glasses`, `jeans` and `lens` as they are, unless somebody also wrote `glass`.
`car` and `automobile` stay apart: whether they mean the same is for the reader to say.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

_ARTICLE = re.compile(r"^(?:a|an|the)\s+")
_SPACES = re.compile(r"[\s_\-]+")
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
    "leaves": "leaf",
    "knives": "knife",
    "wolves": "wolf",
    "shelves": "shelf",
}


def fold_tags(counts: Mapping[str, int], *, verbs: bool = False) -> dict[str, str]:
    """The name under which each tag is counted: of the tags that are one, the commonest spelling.

    Args:
        counts: clips for each tag as written.
        verbs: the tags are actions, so their first word is a verb form.
    """
    plain = {tag: plain_tag(tag) for tag in counts}
    known = set(plain.values())
    groups: dict[str, list[str]] = defaultdict(list)
    for tag, form in plain.items():
        groups[_base(form, known, verbs)].append(tag)
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


def _base(form: str, known: set[str], verbs: bool) -> str:
    first, _, rest = form.partition(" ")
    before, _, last = form.rpartition(" ")
    candidates = [f"{before} {noun}".strip() for noun in _singulars(last)]
    if verbs:
        candidates += [f"{verb} {rest}".strip() for verb in _infinitives(first)]
    found = [candidate for candidate in candidates if candidate in known and candidate != form]
    return _base(found[0], known, verbs) if found else form


def _singulars(word: str) -> list[str]:
    forms = [_IRREGULAR[word]] if word in _IRREGULAR else []
    if word.endswith("ies") and len(word) > 4:
        forms.append(f"{word[:-3]}y")
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        forms.append(word[:-2])
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        forms.append(word[:-1])
    return forms


def _infinitives(word: str) -> list[str]:
    forms = _singulars(word)
    if word.endswith("ing") and len(word) > 5:
        stem = word[:-3]
        forms += [stem, f"{stem}e"]
        if stem[-1] == stem[-2]:
            forms.append(stem[:-1])
    return forms
