"""From a model's words to a list of tags, losing none."""

import re

from resources.words import phrases
from resources.words.judgement import Judgement, judge, shortened

NOTHING = re.compile(
    r"(?:none|no|nothing|n/?a|null|empty|there (?:is|are) (?:none|no|nothing|not any)"
    r"|(?:i )?(?:could ?n['’]?t|could not|can ?not|can['’]?t|did ?n['’]?t|did not|do ?n['’]?t|do not)"
    r" (?:find|see|identify) any"
    r"|the (?:caption|text|video|description) (?:mentions|names|lists) (?:no|none))"
    r"(?: (?:physical|specific|clear))?(?: (?:objects?|actions?|tags?))?(?: (?:were|was|are|is))?"
    r"(?: (?:found|named|mentioned|listed|described|identified))?"
    r"(?: in (?:the|this) (?:caption|text|video|description))?",
    re.IGNORECASE,
)
_FOOTNOTE = re.compile(r"\[\d+\]")
_GROUP = re.compile(r"\[([^\[\]]*)(?:\]|$)|([^\[\]]*)\]")
_OTHER_BRACKETS = str.maketrans("【】［］〔〕", "[][][]")
_SEPARATOR = re.compile(r"[,\n;，、；・|]|\s/\s|(?:等等?|など)[。.\s]*$")
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d+[.)、])\s*(?=\D)")
# "- **girl**: rides a bicycle": what follows explains the tag.
_EXPLAINED = re.compile(r"\s*[:：]\s|\s[–—-]\s|\s\(")
_LABEL = re.compile(r"^(?!\s*(?:[-•–\d]|\*(?!\*)))[^\[\]:：\n,]{1,60}[:：]\**\s*")
_JOINT = re.compile(r"^(?:and|or|also|plus|und|oder|et|ou|y|e|и|&|和|以及|及)\s+", re.IGNORECASE)
_MORE = re.compile(
    r"(?:and )?(?:etc|et cetera|so on|so forth|more|(?:among |amongst )?others?|many more|the like)"
    r"|usw|u\.\s?a|等等?|など|note|notes|footnotes?",
    re.IGNORECASE,
)
_EDGES = " \t\r\n'\"`’‘“”.;:!*_#~。：！"
MOST_WORDS = 6


class UnreadableTags(ValueError):
    """The answer is neither a list nor a statement that there is nothing to list."""


def judge_tags(written: str, *, cut_off: bool = False) -> Judgement:
    """The judgement of an answer to a question for a list: *none* is one."""
    return judge(written, cut_off=cut_off, is_none=says_nothing)


def parse_tags(answer: str) -> list[str]:
    """The tags in a model's answer, as it wrote them; ``[]`` where it says that there are none.

    Lists in square brackets are read wherever they stand, also nested, broken over lines or never closed.
    Without brackets the answer itself is the list, separated by commas or lines.

    Raises:
        UnreadableTags: blank, a thought, a refusal, or prose.
    """
    judged = judge_tags(answer)
    if not judged.verdict.is_answer:
        raise UnreadableTags(judged.reason)
    text = _FOOTNOTE.sub("", judged.text.translate(_OTHER_BRACKETS)).strip()
    if not text.strip(_EDGES):
        raise UnreadableTags(f"no list in the answer: {shortened(judged.text)!r}")
    if (in_brackets := _bracketed(text)) is not None:
        return in_brackets
    if says_nothing(text):
        return []
    if len(listed := [line for line in text.splitlines() if _BULLET.match(line)]) > 1:
        text = "\n".join(listed)
    tags = _split(_LABEL.sub("", text).strip("()（）{}｛｝"))
    if not tags or any(len(tag.split()) > MOST_WORDS for tag in tags):
        raise UnreadableTags(f"no list in the answer: {shortened(text)!r}")
    return tags


def normalise_tags(tags: list[str]) -> list[str]:
    """Lower case, single spaces, each tag once in the order of its first mention; plurals are left alone."""
    return list(dict.fromkeys(" ".join(tag.lower().split()) for tag in tags))


def says_nothing(text: str) -> bool:
    """Is this a way to say *none found* rather than a tag?"""
    words = " ".join(text.strip(_EDGES + "[]()").split())
    return not words or bool(NOTHING.fullmatch(words)) or phrases.says_nothing(words)


def _bracketed(text: str) -> list[str] | None:
    if "[" not in text and "]" not in text:
        return None
    opened = text[text.index("[") :] if "[" in text else text
    return [tag for inside, before in _GROUP.findall(opened) for tag in _split(inside or before)]


def _split(text: str) -> list[str]:
    tags = []
    for piece in _SEPARATOR.split(text):
        plain = _BULLET.sub("", piece)
        if plain != piece:
            plain = _EXPLAINED.split(plain, maxsplit=1)[0]
        tag = _JOINT.sub("", plain.strip(_EDGES)).strip(_EDGES)
        if tag and not says_nothing(tag) and not _MORE.fullmatch(tag):
            tags.append(tag)
    return tags
