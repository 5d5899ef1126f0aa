"""From a model's words to a list of tags, losing none."""

import re

NOTHING = re.compile(
    r"(?:none|no|nothing|n/?a|null|empty|there (?:is|are) (?:none|no|nothing)"
    r"|(?:i )?(?:could ?n['’]?t|can ?not|can['’]?t|did ?n['’]?t) (?:find|see|identify) any)"
    r"(?: (?:physical|specific|clear))?(?: (?:objects?|actions?|tags?))?(?: (?:were|was|are|is))?"
    r"(?: (?:found|named|mentioned|listed))?",
    re.IGNORECASE,
)
_SECOND_TURN = re.compile(r"(?:<\|[^|]*\|>|\bassistant)\s*\n.*", re.DOTALL)
_GROUP = re.compile(r"\[([^\[\]]*)(?:\]|$)|([^\[\]]*)\]")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_LABEL = re.compile(r"^[\w ]{1,40}:\s*")
_EDGES = " \t\r\n'\"`’‘“”.;:!"
MOST_WORDS = 6


class UnreadableTags(ValueError):
    """The answer is neither a list nor a statement that there is nothing to list."""


def parse_tags(answer: str) -> list[str]:
    """The tags in a model's answer, as it wrote them; ``[]`` where it says that there are none.

    Lists in square brackets are read wherever they stand, also nested, broken over lines or never closed.
    Without brackets the answer itself is the list, separated by commas or lines. What follows a second
    turn that the model invented is not its answer.

    Raises:
        UnreadableTags: blank, or prose.
    """
    text = _SECOND_TURN.sub("", answer).strip()
    if not text:
        raise UnreadableTags("the answer is blank")
    in_brackets = _bracketed(text)
    if in_brackets is not None:
        return [tag for tag in in_brackets if not says_nothing(tag)]
    if says_nothing(text):
        return []
    tags = [tag for tag in _split(_LABEL.sub("", text)) if not says_nothing(tag)]
    if any(len(tag.split()) > MOST_WORDS for tag in tags):
        raise UnreadableTags(f"no list in the answer: {text[:200]!r}")
    return tags


def normalise_tags(tags: list[str]) -> list[str]:
    """Lower case, single spaces, each tag once in the order of its first mention; plurals are left alone."""
    return list(dict.fromkeys(" ".join(tag.lower().split()) for tag in tags))


def says_nothing(text: str) -> bool:
    """Is this a way to say *none found* rather than a tag?"""
    words = " ".join(text.strip(_EDGES + "[]()").split())
    return not words or (bool(NOTHING.fullmatch(words)) and not re.fullmatch(r"(?:find|see|identify)", words))


def _bracketed(text: str) -> list[str] | None:
    if "[" not in text and "]" not in text:
        return None
    opened = text[text.index("[") :] if "[" in text else text
    return [tag for inside, before in _GROUP.findall(opened) for tag in _split(inside or before)]


def _split(text: str) -> list[str]:
    pieces = (_BULLET.sub("", piece).strip(_EDGES) for piece in re.split(r"[,\n;]", text))
    return [piece for piece in pieces if piece]
