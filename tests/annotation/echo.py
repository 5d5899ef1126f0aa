"""Annotators without a model, for tests and benchmarks of the loop and of whatever runs it."""

import time
from collections.abc import Callable, Sequence

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer, ClipError
from resources.annotation.recipe import Recipe


class EchoAnnotator(Annotator):
    """Answers with the id it was shown: a swapped row cannot hide behind a plausible caption.

    ``misbehave`` is called with the ids of each batch and may raise, to act out failures of a model.
    """

    def __init__(
        self,
        name: str = "echo",
        batch_size: int = 4,
        prompt: str = "",
        misbehave: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self.batch_size = batch_size
        self._recipe = Recipe(name, {"prompt": prompt})
        self._misbehave = misbehave

    @property
    def recipe(self) -> Recipe:
        """The name and the prompt."""
        return self._recipe

    def annotate(self, batch: Sequence[Clip]) -> list[Answer | ClipError]:
        """The id of each clip, after the prompt."""
        if self._misbehave is not None:
            self._misbehave([clip.id for clip in batch])
        prompt = self._recipe.settings["prompt"]
        return [Answer(f"{prompt}{clip.id}", finish_reason="stop") for clip in batch]


class WaitingAnnotator(EchoAnnotator):
    """An echo that waits as long as a model would compute, leaving the CPU free: a simulated accelerator.

    Args:
        batch_seconds: how long a batch takes, whatever its size.
        prepare: stands for decoding; runs ahead, in the loop's threads.
    """

    def __init__(
        self, batch_seconds: float, batch_size: int = 4, prepare: Callable[[Clip], object] | None = None
    ) -> None:
        super().__init__("waiting", batch_size)
        self._batch_seconds = batch_seconds
        self._prepare = prepare

    def prepare(self, clip: Clip) -> Clip:
        """Do the simulated decoding."""
        if self._prepare is not None:
            self._prepare(clip)
        return clip

    def annotate(self, batch: Sequence[Clip]) -> list[Answer | ClipError]:
        """Wait, then echo."""
        time.sleep(self._batch_seconds)
        return super().annotate(batch)
