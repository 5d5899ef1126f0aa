"""Camera motion as an annotator: decoded and analysed in isolated child processes, on all cores."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import Answer, ClipError
from resources.annotation.recipe import Recipe
from resources.camera_motion import kind
from resources.camera_motion.analysis import analyse
from resources.camera_motion.motion import CameraMotion
from resources.measures.annotator import Seen
from resources.measures.measure import measure
from resources.measures.overview import CLOSEUPS, SAMPLING, look_over
from resources.video.workers import IsolatedWorkers


@dataclass(frozen=True, slots=True)
class Analysed:
    """A clip's camera motion, with how it was read and the CPU seconds of the analysis, and its measures if wanted."""

    motion: CameraMotion
    seconds: float = 0.0
    reading: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] | None = None

    def answer(self) -> Answer:
        """The table's value, with the numbers as details."""
        return Answer(self.motion.label, seconds=self.seconds, details=self.motion.to_json() | self.reading)


class CameraMotionAnnotator(Annotator):
    """Classifies the camera motion of clips without a model.

    Value: the labels joined by ``+``; details: the fields of :class:`CameraMotion`. The whole work is done
    in :meth:`prepare`, in the children of ``workers``: run as many preparing threads as there are workers.

    An image is skipped. A video of one frame is ``unclassified`` with the reason ``single_frame``: nothing is
    known of a camera there, and as ``static`` it would pass a training filter that looks for videos with a
    resting camera.

    Args:
        workers: where files are opened and analysed.
        threshold: how far an edge of the picture must move to count, as a fraction of the shorter side.
        seen: where the measures of each clip go, told from the same frames; ``None``: they are not wanted.
    """

    batch_size = 16

    def __init__(self, workers: IsolatedWorkers, threshold: float = 0.25, seen: Seen | None = None) -> None:
        self._workers = workers
        self._threshold = threshold
        self._seen = seen

    @property
    def recipe(self) -> Recipe:
        """Threshold, sampling and the version of the analysis."""
        settings = {
            "backend": "tracks",
            "threshold": self._threshold,
            **SAMPLING,
            "code_version": kind.CameraMotion.code_version,
        }
        return Recipe("camera_motion", settings)

    def skip_reason(self, clip: Clip) -> str | None:
        """Images have no camera motion."""
        return "an image has no camera motion" if clip.kind is Kind.IMAGE else None

    def prepare(self, clip: Clip) -> Analysed:
        """Decode and analyse the clip in a child; the calling thread only waits."""
        analysed = self._workers.call(analyse_file, clip, self._threshold, self._seen is not None)
        if self._seen is not None and analysed.measured is not None:
            self._seen[clip.id, clip.content_id] = analysed.measured
        return analysed

    def annotate(self, batch: Sequence[Analysed]) -> Sequence[Answer | ClipError]:
        """The answers that :meth:`prepare` has found."""
        return [analysed.answer() for analysed in batch]


def analyse_file(clip: Clip, threshold: float, measures: bool) -> Analysed:
    """Decode the overview of a clip in one pass and classify its motion. Meant for a child process.

    Raises:
        ClipError: the file cannot be read.
    """
    cv2.setNumThreads(1)
    frames, clock = look_over(clip, CLOSEUPS if measures else 0)
    shape = frames.images.shape[1:]
    size = (clip.height, clip.width) if clip.height and clip.width else (shape[0], shape[1])
    began = time.process_time()
    motion = analyse(frames.images, size, threshold, clock)
    seconds = time.process_time() - began
    reading = {"frames_analysed": len(frames.indices), **frames.details}
    return Analysed(motion, seconds, reading, measure(frames, clock) if measures else None)
