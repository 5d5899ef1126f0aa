"""What is wrong with captions, judged by their words alone: pure functions, no model."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from resources.words.language import language_of

NGRAM = 4
REPEATED_SHARE = 0.3
REPEATS_IN_A_ROW = 3
ECHO_WORDS = 10
SHINGLE = 3
NEAR = 0.9
LANGUAGE_WORDS = 6

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_SENTENCE_END = re.compile(r"[.!?]+[\"'”’)]*(?=\s+[^\sa-z]|\s*$)|[。！？]+")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|No|vs|etc|e\.g|i\.e)\.", re.IGNORECASE)
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=1
    )
}
_LIMIT = re.compile(rf"\b(\d+|{'|'.join(_NUMBERS)})\s+(?:[a-z-]+\s+){{0,2}}sentences?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caption:
    """What was said of a clip. ``source`` identifies what was shown: equal sources may have equal captions."""

    id: str
    text: str
    finish_reason: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Flaw:
    """A caption with something wrong; the worse the larger ``severity``, comparable within one rule."""

    id: str
    severity: float
    reason: str


def incomplete(captions: Sequence[Caption]) -> Iterator[Flaw]:
    """Captions without a word, and captions that ended because the token limit was reached."""
    for caption in captions:
        if not _WORD.search(caption.text):
            yield Flaw(caption.id, 2.0, "no word in it")
        elif caption.finish_reason in ("length", "max_tokens"):
            yield Flaw(caption.id, 1.0, f"cut off at the token limit: …{caption.text[-40:]}")


def repetitive(captions: Sequence[Caption]) -> Iterator[Flaw]:
    """Captions that go round in circles: many four-word sequences are repeated, or words repeat in a row."""
    for caption in captions:
        words = _words(caption.text)
        ngrams = Counter(zip(*(words[start:] for start in range(NGRAM)), strict=False))
        again = ngrams.total() - len(ngrams)
        share = again / ngrams.total() if ngrams else 0.0
        if share > REPEATED_SHARE:
            commonest = " ".join(ngrams.most_common(1)[0][0])
            yield Flaw(
                caption.id, share, f"{share:.0%} of its {NGRAM}-word sequences are repeated: {commonest}"
            )
        elif stuck := _in_a_row(words):
            yield Flaw(caption.id, REPEATED_SHARE, f"{REPEATS_IN_A_ROW} times in a row: {stuck}")


def echoes(captions: Sequence[Caption], prompts: Sequence[str]) -> Iterator[Flaw]:
    """Captions that hold ten words in a row of the prompt (of its task or of its examples)."""
    asked: set[tuple[str, ...]] = set()
    for prompt in prompts:
        asked.update(_runs(_words(prompt), ECHO_WORDS))
    for caption in captions:
        words = _words(caption.text)
        said = [run for run in _runs(words, ECHO_WORDS) if run in asked]
        if said:
            yield Flaw(caption.id, len(said) / len(words), f"says the prompt: {' '.join(said[0])}")


def too_long(captions: Sequence[Caption], limit: int | None) -> Iterator[Flaw]:
    """Captions of more sentences than the prompt allows; none where it sets no limit."""
    for caption in captions:
        if limit is not None and (count := sentences(caption.text)) > limit:
            yield Flaw(caption.id, count / limit, f"{count} sentences, {limit} allowed")


def sentences(text: str) -> int:
    """How many sentences a text has; words behind the last full stop count as one."""
    text = _ABBREVIATION.sub(lambda match: match[0][:-1], text.strip())
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    rest = text[ends[-1] if ends else 0 :]
    return len(ends) + bool(_WORD.search(rest))


def sentence_limit(prompts: Sequence[str]) -> int | None:
    """The most sentences that any of these prompts asks for (``at most five sentences``, ``3 to 5 sentences``)."""
    asked = [number.lower() for prompt in prompts for number in _LIMIT.findall(prompt)]
    return max((int(_NUMBERS.get(number, number)) for number in asked), default=None)


def near_duplicates(captions: Sequence[Caption], near: float = NEAR) -> Iterator[Flaw]:
    """Captions that say almost what another clip's caption says: Jaccard similarity of their three-word runs.

    Compares all pairs, about 0.25 s for the 500 captions of a shard. Copies of one file may say the same.
    """
    runs = [(caption, frozenset(_runs(_words(caption.text), SHINGLE))) for caption in captions]
    closest: dict[str, tuple[float, str]] = {}
    for (one, mine), (other, theirs) in combinations([pair for pair in runs if pair[1]], 2):
        # Sets of unlike size cannot be that similar; it is much cheaper to see.
        if min(len(mine), len(theirs)) < near * max(len(mine), len(theirs)):
            continue
        shared = len(mine & theirs)
        similarity = shared / (len(mine) + len(theirs) - shared)
        if similarity >= near and (one.source is None or one.source != other.source):
            for caption, twin in ((one, other), (other, one)):
                closest[caption.id] = max(closest.get(caption.id, (0.0, "")), (similarity, twin.id))
    for clip_id, (most, closest_id) in closest.items():
        yield Flaw(clip_id, most, f"{most:.0%} the words of {closest_id}")


def wrong_language(captions: Sequence[Caption], languages: Collection[str]) -> Iterator[Flaw]:
    """Captions that are clearly in another language; short ones and doubtful ones pass."""
    for caption in captions:
        words = _words(caption.text)
        language, _ = language_of(caption.text)
        # Writing without spaces has few words in many letters.
        is_long = len(words) >= LANGUAGE_WORDS or (not caption.text.isascii() and len(caption.text) >= 12)
        if language is not None and is_long and language not in languages:
            yield Flaw(caption.id, float(len(words)), f"in {language}: {caption.text[:80]}")


def foreign_labels(captions: Sequence[Caption], vocabulary: Collection[str]) -> Iterator[Flaw]:
    """Labels joined by ``+`` of which one is not in the vocabulary, or is repeated."""
    for caption in captions:
        labels = caption.text.split("+")
        strange = [label for label in labels if label not in vocabulary]
        if strange:
            yield Flaw(caption.id, 2.0, f"not a label: {', '.join(map(repr, strange))}")
        elif len(set(labels)) < len(labels):
            yield Flaw(caption.id, 1.0, f"a label is repeated: {caption.text}")


def prompts_in(settings: Mapping[str, Any]) -> list[str]:
    """The texts that a captioner's recipe puts to its model."""
    found: list[str] = []
    for name in ("prompt", "prompts", "query"):
        value = settings.get(name)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Sequence):
            found += [entry["text"] for entry in value if isinstance(entry, Mapping) and "text" in entry]
    return found


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """All runs of ``length`` words; a shorter text is one run of its own."""
    if not words:
        return []
    return [tuple(words[start : start + length]) for start in range(max(1, len(words) - length + 1))]


def _in_a_row(words: Sequence[str]) -> str:
    """The one to three words that repeat in a row, else nothing."""
    for length in (1, 2, 3):
        count = 0
        for place in range(length, len(words)):
            count = count + 1 if words[place] == words[place - length] else 0
            if count >= length * (REPEATS_IN_A_ROW - 1):
                return " ".join(words[place - length + 1 : place + 1])
    return ""
