"""The language of a caption, told from its script and its commonest words."""

import re
import unicodedata
from collections import Counter

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CJK": "zh",
    "ARABIC": "ar",
    "HEBREW": "he",
    "GREEK": "el",
    "THAI": "th",
    "DEVANAGARI": "hi",
    "CYRILLIC": "ru",
}
_FUNCTION_WORDS = {
    "en": "the a an of and is are in on with to that it its this there as at by from his her their which while",
    "de": "der die das und ist ein eine einer einem einen mit auf im von zu den dem nicht sich wird sind es",
    "fr": "le la les des un une et est dans sur avec du au aux qui il elle ce cette son sa ses pour pas",
    "es": "el la los las un una y es en con de del que se por para su sus está al lo como hay",
    "it": "il lo la i gli le un una e è di del della in con su per che si da al sono nel",
    "pt": "o a os as um uma e é de do da em no na com que se por para ao está são",
    "nl": "de het een en is van in op met die dat te zijn voor aan er wordt niet naar bij",
}
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_ENOUGH_OF_A_SCRIPT = 0.3


def language_of(text: str) -> str | None:
    """An ISO 639-1 code, or ``None`` where the text does not tell (too short, a language not listed).

    A text in a script that points to one language is that language (Cyrillic counts as Russian); Latin
    script goes to the language whose function words make up most of it. Meant for sorting out captions in
    the wrong language, not for telling close relatives apart.
    """
    letters = [char for char in text if char.isalpha()]
    if not letters:
        return None
    scripts = Counter(_script(char) for char in letters)
    scripts.pop("LATIN", None)
    if scripts.total() >= _ENOUGH_OF_A_SCRIPT * len(letters):
        named = Counter[str]()
        for script, count in scripts.items():
            named[_SCRIPTS.get(script, "")] += count
        return "ja" if named["ja"] else named.most_common(1)[0][0] or None
    words = [word.lower() for word in _WORD.findall(text)]
    found = Counter({language: sum(word in known for word in words) for language, known in _WORDS.items()})
    (best, hits), (_, second) = found.most_common(2)
    return best if hits > second else None


def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0].partition("-")[0]
