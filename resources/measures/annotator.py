"""The measures as an annotator: decoded and measured in isolated child processes, on all cores."""

import json
from collections.abc import MutableMapping, Sequence
from typing import Any

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer
from resources.annotation.recipe import Recipe
from resources.measures.kind import NUMBERS, Measures
from resources.measures.measure import measure_file
from resources.measures.overview import CLOSEUPS, SAMPLING
from resources.video.workers import IsolatedWorkers

Seen = MutableMapping[tuple[str, str | None], dict[str, Any]]
"""What another annotator of the step has measured on its way, by id and content of the clip."""


class MeasuresAnnotator(Annotator):
    """Measures clips; value: the numbers as a JSON object; details: what :func:`measure` returns.

    The whole work is done in :meth:`prepare`, in the children of ``workers``; a clip that is in ``seen`` is taken
    from there.
    """

    batch_size = 16

    def __init__(self, name: str, workers: IsolatedWorkers, seen: Seen) -> None:
        self._name, self._workers, self._seen = name, workers, seen

    @property
    def recipe(self) -> Recipe:
        """Sampling and the version of the measures."""
        version = Measures.code_version
        return Recipe(self._name, {**SAMPLING, "closeups": CLOSEUPS, "code_version": version})

    def prepare(self, clip: Clip) -> dict[str, Any]:
        """Decode and measure the clip in a child, unless that has been done."""
        measured = self._seen.pop((clip.id, clip.content_id), None)
        return measured or self._workers.call(measure_file, clip)

    def annotate(self, batch: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        """The answers that :meth:`prepare` has found."""
        return [
            Answer(json.dumps({name: measured[name] for name in NUMBERS}), details=measured)
            for measured in batch
        ]
