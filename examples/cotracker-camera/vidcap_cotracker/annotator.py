"""Camera motion by the tracks of a CoTracker checkpoint: Open-Sora's own way.

A 10 x 10 grid of points is followed from the first frame to the last, and the edge rules read it directly.
"""

import inspect
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import AnnotatorError, Answer, ClipError
from resources.annotation.recipe import Recipe
from resources.camera_motion.annotator import Analysed
from resources.camera_motion.classify import GRID, labels_of_grid
from resources.camera_motion.describe import describe
from resources.camera_motion.motion import CameraMotion, Reason, unclassified
from resources.engine.fingerprint import fingerprint_files
from resources.engine.placement import Placement
from resources.video import FrameReader, FrameRule, Frames, RuleKind

CODE_VERSION = 1
FRAMES = 60
SHORT_SIDE = 384
MIN_POINTS = 12
HOW_TO_INSTALL = (
    "install it with `pip install git+https://github.com/facebookresearch/co-tracker` and download "
    "`scaled_offline.pth` of facebook/cotracker3, or use the kind `camera_motion`, which needs no weights"
)
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "scaled_offline": {"v2": False, "offline": True, "window_len": 60},
    "baseline_offline": {"v2": False, "offline": True, "window_len": 60},
    "cotracker2v1": {"v2": True, "offline": False, "window_len": 16},
    "cotracker2": {"v2": True, "offline": False, "window_len": 8},
}


class CoTrackerAnnotator(Annotator):
    """Classifies the camera motion of clips by the tracks of a CoTracker checkpoint.

    Args:
        reader: reads the frames.
        checkpoint: a `.pth` file as published (`scaled_offline.pth`, `cotracker2.pth`, ...); the name tells
            the architecture.
        threshold: how far an edge of the picture must move to count, as a fraction of the shorter side.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
    """

    batch_size = 1

    def __init__(self, reader: FrameReader, checkpoint: Path, threshold: float, device: str) -> None:
        self._reader = reader
        self._checkpoint = checkpoint
        self._threshold = threshold
        self._placement = Placement.choose(device, dtype="float32")
        self._model: Any = None

    @property
    def recipe(self) -> Recipe:
        """Threshold, sampling, and the content of the checkpoint."""
        if not self._checkpoint.is_file():
            raise AnnotatorError(
                f"the CoTracker checkpoint '{self._checkpoint}' is no file: {HOW_TO_INSTALL}"
            )
        settings = {
            "backend": "cotracker",
            "checkpoint": self._checkpoint.name,
            "weights": fingerprint_files([self._checkpoint]),
            "threshold": self._threshold,
            "frames": FRAMES,
            "short_side": SHORT_SIDE,
            "code_version": CODE_VERSION,
        }
        return Recipe("cotracker", settings)

    def prepare(self, clip: Clip) -> Frames | None:
        """Decode the frames, RGB with a short side of 384 pixels; none of a still."""
        if clip.kind is Kind.IMAGE:
            return None
        rule = FrameRule(RuleKind.LINSPACE, FRAMES)
        return self._reader.read(clip.path, clip.kind, rule, short_side=SHORT_SIDE)

    def annotate(self, batch: Sequence[Frames | None]) -> Sequence[Answer | ClipError]:
        """Follow the grid through each clip and apply the rules.

        Raises:
            AnnotatorError: the package or the checkpoint is missing or does not fit.
        """
        return [self._analyse(frames).answer() for frames in batch]

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def _analyse(self, frames: Frames | None) -> Analysed:
        if frames is None or len(frames.indices) < 2:
            return Analysed(unclassified(Reason.SINGLE_FRAME))
        began = time.perf_counter()
        tracks, visible = self._follow(frames.images)
        motion = motion_of_tracks(tracks, visible, frames.images.shape[1:3], self._threshold)
        reading = {"frames_analysed": len(frames.indices), **frames.details}
        return Analysed(motion, time.perf_counter() - began, reading)

    def _follow(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(T, H, W, 3) uint8 to tracks (T, 100, 2) in pixels and whether each point is seen, (T, 100)."""
        import torch

        if self._model is None:
            self._placement.check_runtime()
            self._model = load_predictor(self._checkpoint).to(self._placement.device)
        video = torch.from_numpy(images).permute(0, 3, 1, 2)[None].float().to(self._placement.device)
        with torch.inference_mode():
            tracks, visible = self._model(video, grid_size=GRID)
        return tracks[0].double().cpu().numpy(), visible[0].reshape(len(images), -1).cpu().numpy()


def load_predictor(checkpoint: Path) -> Any:
    """The package's `CoTrackerPredictor` with these weights, on the CPU.

    Releases of the package differ: those before CoTracker 3 know neither ``v2`` nor ``offline``.

    Raises:
        AnnotatorError: no package, a name of no known architecture, or weights that do not fit.
    """
    architecture = ARCHITECTURES.get(checkpoint.stem)
    if architecture is None:
        known = ", ".join(f"{name}.pth" for name in ARCHITECTURES)
        raise AnnotatorError(
            f"'{checkpoint.name}' is no CoTracker checkpoint that is known here: use {known}"
        )
    try:
        from cotracker.predictor import CoTrackerPredictor
    except ImportError as error:
        raise AnnotatorError(
            f"the package `cotracker` cannot be imported ({error}): {HOW_TO_INSTALL}"
        ) from error
    accepted = inspect.signature(CoTrackerPredictor.__init__).parameters
    if "v2" not in accepted and not architecture["v2"]:
        raise AnnotatorError(
            f"the installed `cotracker` is too old for '{checkpoint.name}': {HOW_TO_INSTALL}"
        )
    options = {name: value for name, value in architecture.items() if name in accepted}
    try:
        return CoTrackerPredictor(checkpoint=str(checkpoint), **options).eval()
    except (RuntimeError, KeyError, OSError) as error:
        raise AnnotatorError(f"the CoTracker checkpoint '{checkpoint}' cannot be loaded: {error}") from error


def motion_of_tracks(
    tracks: NDArray[np.float64], visible: NDArray[np.bool_], size: tuple[int, int], threshold: float
) -> CameraMotion:
    """The camera motion that a followed 10 x 10 grid shows.

    The labels come from all points, as in Open-Sora's script. The numbers come from a similarity through the points
    that are seen, in each frame; the confidence is the share of points seen in the last frame.

    Args:
        tracks: (T, 100, 2) x, y in pixels of ``size`` (height, width), rows of the grid one after another.
        visible: (T, 100).
    """
    import cv2

    grid = tracks.reshape(len(tracks), GRID, GRID, 2)
    labels = labels_of_grid(grid[0], grid[-1], size, threshold)
    numbers, transforms = [0], [np.eye(3)]
    for number in range(1, len(tracks)):
        seen = visible[0] & visible[number]
        if seen.sum() < MIN_POINTS:
            continue
        fitted, _ = cv2.estimateAffinePartial2D(tracks[0][seen], tracks[number][seen])
        if fitted is not None:
            numbers.append(number)
            transforms.append(np.vstack([fitted, [0.0, 0.0, 1.0]]))
    confidence = float(visible[-1].mean())
    if numbers[-1] != len(tracks) - 1:
        return CameraMotion(labels, confidence=confidence) if labels else unclassified(Reason.INCONSISTENT)
    return describe(labels, numbers, transforms, size, confidence)
