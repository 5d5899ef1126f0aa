"""What a language model is asked of each clip, and how its answer is read."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.words.judgement import Judgement, judge

Turn = dict[str, str]


class Question(ABC):
    """One question. Pure: it loads nothing and asks nobody.

    ``asset`` is whose recipe it belongs to; ``recorded`` what the recipe says of it; ``schema`` the JSON Schema that
    the answer is held to, ``None`` for free text.
    """

    asset: str
    recorded: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None

    @abstractmethod
    def turns(self, clip: Clip) -> list[Turn]:
        """The conversation up to where the model answers: the task as the system's turn, the clip as the last."""

    @abstractmethod
    def told(self, clip: Clip) -> str:
        """What the model is told of the clip; nothing where there is nothing to ask about."""

    @abstractmethod
    def read(self, text: str, clip: Clip) -> tuple[str, dict[str, Any]]:
        """The value in the model's words, and what is kept in the details beside it.

        Raises:
            ClipError: the words are no answer to this question.
        """

    def judge(self, written: str, cut_off: bool = False) -> Judgement:
        """What the words are worth; see :mod:`resources.words.judgement`."""
        return judge(written, cut_off=cut_off)


class Asks(Annotator):
    """An annotator that puts a question about each clip, and again where the model is told something else of it."""

    _question: Question

    def input_key(self, clip: Clip) -> str:  # noqa: D102
        return hashlib.sha256(self._question.told(clip).encode()).hexdigest()[:32]

    def skip_reason(self, clip: Clip) -> str | None:  # noqa: D102
        return None if self._question.told(clip).strip() else "no text to read"
