"""The question for one kind of tags."""

import json
from typing import Any

from resources.annotation.clip import Clip
from resources.annotation.outcome import ClipError, ErrorKind
from resources.tagger.parsing import UnreadableTags, judge_tags, normalise_tags, parse_tags
from resources.tagger.prompts import TAG_PROMPTS
from resources.text_model.question import Question, Turn
from resources.words.judgement import Judgement


class TagQuestion(Question):
    """Which ``objects``, or which ``actions``, does the text of a clip name?

    The value is a JSON list of normalised tags, ``[]`` where the model says that the text names none.

    Args:
        name: of the entry of the collection file.
        key: ``objects`` or ``actions``.
    """

    def __init__(self, name: str, key: str) -> None:
        self._key, self.asset, self.recorded = key, f"{name}_{key}", {"prompt": TAG_PROMPTS[key]}

    def told(self, clip: Clip) -> str:  # noqa: D102
        return clip.text or ""

    def turns(self, clip: Clip) -> list[Turn]:  # noqa: D102
        return [
            {"role": "system", "content": TAG_PROMPTS[self._key]},
            {"role": "user", "content": self.told(clip).strip()},
        ]

    def judge(self, written: str, cut_off: bool = False) -> Judgement:
        """As for captions, but *none* is an answer here."""
        return judge_tags(written, cut_off=cut_off)

    def read(self, text: str, clip: Clip) -> tuple[str, dict[str, Any]]:  # noqa: D102
        try:
            tags = normalise_tags(parse_tags(text))
        except UnreadableTags as error:
            raise ClipError(ErrorKind.EMPTY_OUTPUT, f"no {self._key} could be read: {error}") from error
        return json.dumps(tags, ensure_ascii=False), {}
