"""The language of a caption."""

from functools import cache
from typing import Any

# Captions of eight words reach 0.8; names and three-word texts stay below 0.4.
_MIN_CONFIDENCE = 0.5


def language_of(text: str) -> tuple[str | None, float]:
    """An ISO 639 code and how probable it is, from 0 to 1.

    The code is ``None`` where the text does not tell: too short, a list of names, no letters.
    """
    language, confidence = _identifier().classify(text)
    return None if language == "und" else language, float(confidence)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=_MIN_CONFIDENCE)
