"""What a captioner, tagger or motion classifier has to provide to be run by the loop."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer, ClipError
from resources.annotation.prefetch import Prepared
from resources.annotation.recipe import Recipe


class Annotator(ABC):
    """A function from clips to answers.

    :meth:`prepare` runs ahead in threads, so that decoding overlaps the model; :meth:`annotate` runs in
    the loop's own thread, one batch at a time. Neither keeps books: which clips are still to do,
    batching, halving on out-of-memory, isolating a poison clip, journaling and accounting are the loop's.

    Building an annotator must be cheap: weights load on the first :meth:`annotate`, so that a finished
    shard never pays for a model.
    """

    batch_size: int = 1

    @property
    @abstractmethod
    def recipe(self) -> Recipe:
        """Everything that could change an answer. May read files, must not load the model."""

    def input_key(self, clip: Clip) -> str | None:
        """What of the clip is read; an outcome is redone when this changes.

        Default: the content id, and the answers of the annotators that are read.
        """
        if not clip.answers:
            return clip.content_id
        shown = json.dumps([clip.content_id, clip.answers], sort_keys=True)
        return hashlib.blake2b(shown.encode(), digest_size=16).hexdigest()

    def skip_reason(self, clip: Clip) -> str | None:
        """Why this clip has nothing for this annotator to read (no caption to tag, say), else ``None``."""
        return None

    def check(self, clips: Sequence[Clip]) -> None:  # noqa: B027 - optional hook
        """Refuse the clips still to do before any work is done for them. Default: nothing is refused.

        Raises:
            AnnotatorError: the settings do not fit these clips (a video prompt for an image, say).
        """

    def why_not_paid(self, clips: Sequence[Clip]) -> str | None:
        """Why it may not begin with these clips, with the estimate: it costs money and has no budget. Default: free."""
        return None

    def prepare(self, clip: Clip) -> Any:
        """CPU work done ahead for one clip (decode, resize). Default: nothing, the clip itself.

        Raises:
            ClipError: the clip cannot be read; it is recorded as failed and never reaches `annotate`.
            AnnotatorError: nothing can be prepared any more; the loop stops.
        """
        return clip

    @abstractmethod
    def annotate(self, batch: Sequence[Any]) -> Sequence[Answer | ClipError]:
        """Answer for a batch of prepared clips, one result for each, in the order given.

        Raises:
            MemoryError, torch.OutOfMemoryError: the loop halves the batch and remembers what fitted.
            AnnotatorError: nothing can be annotated any more; the loop stops without blaming a clip.
            Exception: anything else makes the loop go down to single clips.
        """

    def close(self) -> None:  # noqa: B027 - optional hook
        """Give back what the annotator holds (model memory, helper processes)."""


class StreamingAnnotator(Annotator):
    """An annotator that works on many clips at once and answers in any order, such as a remote API.

    It gets the prepared clips as an iterator, takes as many as it wants in flight, and yields answers in
    chunks: whatever has arrived since the last one. The loop makes a chunk durable before asking for the
    next, so an answer is at risk only while it is in flight.
    """

    @abstractmethod
    def stream(self, items: Iterator[Prepared]) -> Iterator[Sequence[tuple[Prepared, Answer | ClipError]]]:
        """Yield every item exactly once, with its answer. Failures of single clips are `ClipError` values.

        Raises:
            AnnotatorError: nothing can be annotated any more (bad key, budget spent before the first clip).
        """

    def annotate(self, batch: Sequence[Any]) -> Sequence[Answer | ClipError]:
        """Not used by the loop; a batch is streamed."""
        raise NotImplementedError(f"{type(self).__name__} streams; the loop calls stream()")
