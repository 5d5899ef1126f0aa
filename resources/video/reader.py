"""Frames of clips for annotators: decoded in isolated workers, with the truth about how."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.frames import Backend, Frames
from resources.video.sampling import FrameRule
from resources.video.workers import IsolatedWorkers

_WORKER_LOST = (ErrorKind.DECODE_TIMEOUT, ErrorKind.DECODE_CRASH)


class FrameReader:
    """Reads frames of any file, whatever its state, in the children of ``workers``.

    May be used from many threads at once; as many clips are decoded at a time as there are workers.
    """

    def __init__(self, workers: IsolatedWorkers, backend: Backend = "auto") -> None:
        if backend not in get_args(Backend):
            raise ValueError(f"there is no backend {backend!r}: use {', '.join(get_args(Backend))}")
        self.workers = workers
        self.backend: Backend = backend

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
            if self.backend != "decord" or error.kind not in _WORKER_LOST:
                raise
            why = f"decord gave up: {error.message}"
        frames = self.workers.call(sample_frames, path, rule, kind, pixel_format, limit, "pyav")
        return replace(frames, details={**frames.details, "why": why})
