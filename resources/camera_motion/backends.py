"""One way to get a camera motion annotator, whatever follows the points."""

from enum import StrEnum
from pathlib import Path

from resources.annotation.annotator import Annotator
from resources.annotation.outcome import AnnotatorError
from resources.camera_motion.annotator import CameraMotionAnnotator
from resources.video.workers import IsolatedWorkers


class Backend(StrEnum):
    """``tracks``: corners followed on the CPU, no weights. ``cotracker``: the user's CoTracker checkpoint."""

    TRACKS = "tracks"
    COTRACKER = "cotracker"


def camera_motion_annotator(
    workers: IsolatedWorkers,
    threshold: float = 0.25,
    backend: Backend | str = Backend.TRACKS,
    checkpoint: str | Path | None = None,
    device: str = "auto",
) -> Annotator:
    """The annotator of a backend; ``checkpoint`` and ``device`` are CoTracker's.

    Raises:
        AnnotatorError: an unknown backend, or `cotracker` without a checkpoint.
    """
    try:
        backend = Backend(backend)
    except ValueError as error:
        known = ", ".join(Backend)
        raise AnnotatorError(f"there is no camera motion backend '{backend}': use {known}") from error
    if backend is Backend.TRACKS:
        return CameraMotionAnnotator(workers, threshold)
    from resources.camera_motion.cotracker import HOW_TO_INSTALL, CoTrackerAnnotator

    if checkpoint is None:
        raise AnnotatorError(f"the backend `cotracker` needs a checkpoint: {HOW_TO_INSTALL}")
    return CoTrackerAnnotator(workers, checkpoint, threshold, device=device)
