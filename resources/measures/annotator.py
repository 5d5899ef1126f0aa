"""The measures as an annotator: decoded and measured in isolated child processes, on all cores."""

import json
from collections.abc import MutableMapping, Sequence

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer
from resources.annotation.recipe import Recipe
from resources.measures.kind import Measures
from resources.measures.measure import Measured, measure_file
from resources.measures.overview import CLOSEUPS, FRAMES, FRAMES_PER_SECOND, MAX_FRAMES, SHORT_SIDE
from resources.video.workers import IsolatedWorkers

Seen = MutableMapping[tuple[str, str | None], Measured]
"""What another annotator of the step has measured on its way, by id and content of the clip."""


class MeasuresAnnotator(Annotator):
    """Measures clips; value: the numbers as a JSON object; details: the fields of :class:`Measured`.

    The whole work is done in :meth:`prepare`, in the children of ``workers``; a clip that is in ``seen`` is taken
    from there.
    """

    batch_size = 16

    def __init__(self, name: str, workers: IsolatedWorkers, seen: Seen) -> None:
        self._name, self._workers, self._seen = name, workers, seen

    @property
    def recipe(self) -> Recipe:
        """Sampling and the version of the measures."""
        settings = {
            "frames": FRAMES,
            "frames_per_second": FRAMES_PER_SECOND,
            "max_frames": MAX_FRAMES,
            "short_side": SHORT_SIDE,
            "closeups": CLOSEUPS,
            "code_version": Measures.code_version,
        }
        return Recipe(self._name, settings)

    def prepare(self, clip: Clip) -> Measured:
        """Decode and measure the clip in a child, unless that has been done."""
        measured = self._seen.pop((clip.id, clip.content_id), None)
        return measured or self._workers.call(measure_file, clip)

    def annotate(self, batch: Sequence[Measured]) -> Sequence[Answer]:
        """The answers that :meth:`prepare` has found."""
        return [Answer(json.dumps(measured.numbers), details=measured.to_json()) for measured in batch]
