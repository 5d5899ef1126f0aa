"""What all captioners that ask by a prompt say of a clip before any work is done for it."""

import logging
from collections import Counter
from collections.abc import Sequence

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError, ClipError, ErrorKind
from resources.captioners.prompts import fallback, input_key, missing_text, reads_text

_log = logging.getLogger(__name__)


class PromptedCaptioner(Annotator):
    """Asks about each clip by the prompt that its setting names: a preset, ``auto``, or a literal text."""

    _prompt: str

    def input_key(self, clip: Clip) -> str | None:
        """The content of the file and, where the prompt quotes it, the text that came with it."""
        return input_key(self._prompt, clip)

    def skip_reason(self, clip: Clip) -> str | None:
        """A clip without text has no answer to a literal prompt that quotes it."""
        return missing_text(self._prompt, clip)

    def check(self, clips: Sequence[Clip]) -> None:
        """Say by what clips are asked that the prompt is not written for.

        Raises:
            AnnotatorError: there is no such prompt.
        """
        others = Counter(other for clip in clips if (other := fallback(self._prompt, clip)))
        for other, count in others.items():
            _log.warning(
                "prompt '%s' is not for this kind: %d clips are asked by '%s'", self._prompt, count, other
            )
        super().check(clips)

    def prompt_fault(self, clip: Clip, problem: str) -> ClipError | AnnotatorError:
        """The error for a prompt that cannot be put; the clip is to blame only where its own text is quoted."""
        if reads_text(self._prompt):
            return ClipError(
                ErrorKind.REFUSED, f"clip '{clip.id}': its prompt, which quotes its text, {problem}"
            )
        return AnnotatorError(f"the prompt {problem}")
