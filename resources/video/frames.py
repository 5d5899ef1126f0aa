"""Frames of clips for annotators: decoded in isolated workers, with the truth about how."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.sampling import FrameRule
from resources.video.workers import IsolatedWorkers

_WORKER_LOST = (ErrorKind.DECODE_TIMEOUT, ErrorKind.DECODE_CRASH)


class Backend(StrEnum):
    """What decodes.

    ``auto`` and ``pyav`` are PyAV, which is right on every kind of file and reports damage. ``decord`` uses
    decord where the stream is of a kind proven safe for it, checks its answer, and PyAV otherwise.
    """

    AUTO = "auto"
    PYAV = "pyav"
    DECORD = "decord"


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one clip that a rule asked for.

    Attributes:
        images: (T, H, W, 3) uint8 RGB as displayed (upright, square pixels), or (T, H, W) uint8 gray.
        indices: the frame number in display order of each image.
        num_frames: how many frames the clip has.
        times_s: seconds from the first frame to each image, ``None`` where the file has no times.
        details: JSON-able: ``backend``, ``access`` (``seek``, ``sequential`` or ``image``), ``why`` (why
            not the faster or the wanted way), ``num_frames``, ``decode_warnings`` (list of sentences: damaged
            but decodable).
    """

    images: np.ndarray
    indices: list[int]
    num_frames: int
    times_s: list[float | None]
    details: dict[str, Any] = field(default_factory=dict)


class FrameReader:
    """Reads frames of any file, whatever its state, in the children of ``workers``.

    May be used from many threads at once; as many clips are decoded at a time as there are workers.
    """

    def __init__(self, workers: IsolatedWorkers, backend: Backend | str = Backend.AUTO) -> None:
        self.workers = workers
        self.backend = Backend(backend)

    def read(
        self,
        path: Path,
        kind: Kind,
        rule: FrameRule,
        *,
        short_side: int | None = None,
        max_side: int | None = None,
        gray: bool = False,
    ) -> Frames:
        """The frames that ``rule`` picks, shrunk (never enlarged) to the sides given.

        Raises:
            ClipError: ``missing_file``, ``decode_error``, ``decode_timeout``, ``decode_crash`` or
                ``no_video_stream``.
        """
        from resources.video.decode import sample_frames
        from resources.video.pictures import PixelFormat, SizeLimit

        pixel_format = PixelFormat.GRAY if gray else PixelFormat.RGB
        limit = SizeLimit(short_side, max_side)
        try:
            return self.workers.call(sample_frames, path, rule, kind, pixel_format, limit, self.backend)
        except ClipError as error:
            if self.backend is not Backend.DECORD or error.kind not in _WORKER_LOST:
                raise
            why = f"decord gave up: {error.message}"
        frames = self.workers.call(sample_frames, path, rule, kind, pixel_format, limit, Backend.PYAV)
        return replace(frames, details={**frames.details, "why": why})
