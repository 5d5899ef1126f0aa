"""Camera motion as an annotator: decoded and analysed in isolated child processes, on all cores."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import Answer, ClipError
from resources.annotation.recipe import Recipe
from resources.camera_motion.motion import SHORT_SIDE, CameraMotion, Reason, unclassified
from resources.video.sampling import FrameRule, RuleKind
from resources.video.workers import IsolatedWorkers

CODE_VERSION = 4
FRAMES = 64
FRAMES_PER_SECOND = 4
MAX_FRAMES = 2048


@dataclass(frozen=True, slots=True)
class Analysed:
    """A clip's camera motion, with how it was read and the CPU seconds of the analysis."""

    motion: CameraMotion
    seconds: float = 0.0
    reading: dict[str, Any] = field(default_factory=dict)

    def answer(self) -> Answer:
        """The table's value, with the numbers as details."""
        return Answer(self.motion.label, seconds=self.seconds, details=self.motion.to_json() | self.reading)


class CameraMotionAnnotator(Annotator):
    """Classifies the camera motion of clips without a model.

    Value: the labels joined by ``+``; details: the fields of :class:`CameraMotion`. The whole work is done
    in :meth:`prepare`, in the children of ``workers``: run as many preparing threads as there are workers.

    A still picture, an image file or a video of one frame, is ``unclassified`` with the reason
    ``single_frame``: nothing is known of a camera there, and as ``static`` it would pass a training filter
    that looks for videos with a resting camera.

    Args:
        workers: where files are opened and analysed.
        threshold: how far an edge of the picture must move to count, as a fraction of the shorter side.
    """

    batch_size = 16

    def __init__(self, workers: IsolatedWorkers, threshold: float = 0.25) -> None:
        self._workers = workers
        self._threshold = threshold

    @property
    def recipe(self) -> Recipe:
        """Threshold, sampling and the version of the analysis."""
        settings = {
            "backend": "tracks",
            "threshold": self._threshold,
            "frames": FRAMES,
            "frames_per_second": FRAMES_PER_SECOND,
            "max_frames": MAX_FRAMES,
            "short_side": SHORT_SIDE,
            "code_version": CODE_VERSION,
        }
        return Recipe("camera_motion", settings)

    def prepare(self, clip: Clip) -> Analysed:
        """Decode and analyse the clip in a child; the calling thread only waits."""
        if clip.kind is Kind.IMAGE:
            return Analysed(unclassified(Reason.SINGLE_FRAME))
        return self._workers.call(analyse_file, clip, frame_rule(clip.duration_s), self._threshold)

    def annotate(self, batch: Sequence[Analysed]) -> Sequence[Answer | ClipError]:
        """The answers that :meth:`prepare` has found."""
        return [analysed.answer() for analysed in batch]


def frame_rule(duration_s: float | None) -> FrameRule:
    """First to last frame, 64 of them, or four a second (2,048 at most) where that is more."""
    wanted = math.ceil((duration_s or 0) * FRAMES_PER_SECOND) + 1
    return FrameRule(RuleKind.LINSPACE, min(max(FRAMES, wanted), MAX_FRAMES))


def analyse_file(clip: Clip, rule: FrameRule, threshold: float) -> Analysed:
    """Decode the frames of ``rule`` in one pass and classify their motion. Meant for a child process.

    Raises:
        ClipError: the file cannot be read.
    """
    import cv2

    from resources.camera_motion.analysis import analyse
    from resources.video.decode import sample_frames
    from resources.video.pictures import PixelFormat, SizeLimit

    cv2.setNumThreads(1)
    frames = sample_frames(clip.path, rule, clip.kind, PixelFormat.GRAY, SizeLimit(short_side=SHORT_SIDE))
    shape = frames.images.shape[1:]
    size = (clip.height, clip.width) if clip.height and clip.width else (shape[0], shape[1])
    clock = [
        time_s if time_s is not None else index / (clip.fps or 25.0)
        for index, time_s in zip(frames.indices, frames.times_s, strict=True)
    ]
    began = time.process_time()
    motion = analyse(frames.images, size, threshold, clock)
    reading = {"frames_analysed": len(frames.indices), **frames.details}
    return Analysed(motion, time.process_time() - began, reading)
