"""What the headers of a video or image say: size, rate, frame count, codec; no picture is decoded."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.workers import IsolatedWorkers

CLIPS_PER_CALL = 16
_RETRIED_ALONE = (ErrorKind.DECODE_TIMEOUT, ErrorKind.DECODE_CRASH, ErrorKind.INTERNAL)


@dataclass(frozen=True, slots=True)
class Probe:
    """The headers of one file.

    Attributes:
        num_frames: frames that the packets of the file hold and its edit list shows; 1 for an image.
        height, width: pixels as displayed (square samples, rotation applied).
        fps: average frames a second; ``None`` for an image or a single frame of unknown duration.
        is_vfr: whether the time between frames varies.
        duration_s: seconds from the first frame shown to the end of the last.
        codec: FFmpeg's name of the coding format (``h264``, ``av1``), or Pillow's (``jpeg``, ``png``).
        rotation: degrees by which the stored picture is turned counter-clockwise for display.
        bit_depth: bits of one luma or colour sample; ``None`` where the headers do not say.
        file_size: bytes.
    """

    num_frames: int
    height: int
    width: int
    fps: float | None
    is_vfr: bool
    duration_s: float | None
    codec: str
    rotation: int
    bit_depth: int | None
    has_audio: bool
    file_size: int

    @property
    def aspect_ratio(self) -> float:
        """Height / width, as the training columns have it."""
        return self.height / self.width

    @property
    def resolution(self) -> int:
        """Pixels of a frame."""
        return self.height * self.width


def probe(path: Path, kind: Kind = Kind.VIDEO) -> Probe:
    """Read the headers of one file, in this process.

    Raises:
        ClipError: ``missing_file``, ``no_video_stream`` or ``decode_error``, with one sentence of reason.
    """
    from resources.video.headers import image_headers, video_headers

    return image_headers(path) if kind is Kind.IMAGE else video_headers(path)


def probe_many(items: Sequence[tuple[Path, Kind]], workers: IsolatedWorkers) -> list[Probe | ClipError]:
    """Read the headers of many files in isolated workers; one answer for each, in their order.

    Files travel in batches; one that hangs or crashes its worker fails alone, its batch is read again.
    """
    batches = [items[start : start + CLIPS_PER_CALL] for start in range(0, len(items), CLIPS_PER_CALL)]
    with ThreadPoolExecutor(workers.workers, thread_name_prefix="probe") as threads:
        answers = threads.map(lambda batch: _probe_isolated(batch, workers), batches)
        return [answer for batch in answers for answer in batch]


def _probe_isolated(batch: Sequence[tuple[Path, Kind]], workers: IsolatedWorkers) -> list[Probe | ClipError]:
    try:
        return workers.call(probe_batch, batch)
    except ClipError as error:
        if error.kind not in _RETRIED_ALONE:
            raise
        if len(batch) == 1:
            return [error]
    return [answer for item in batch for answer in _probe_isolated([item], workers)]


def probe_batch(batch: Sequence[tuple[Path, Kind]]) -> list[Probe | ClipError]:
    """What :func:`probe` returns or raises for each file, in this process."""
    answers: list[Probe | ClipError] = []
    for path, kind in batch:
        try:
            answers.append(probe(path, kind))
        except ClipError as error:
            answers.append(error)
    return answers
