"""Preparing clips ahead of the model, bounded, so that the model never waits and memory stays flat."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError, ClipError, ErrorKind


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clip with what `Annotator.prepare` made of it."""

    clip: Clip
    payload: Any


def prepare_ahead(
    prepare: Callable[[Clip], Any], clips: Sequence[Clip], *, workers: int, lookahead: int
) -> Generator[Prepared | tuple[Clip, ClipError], None, None]:
    """Yield every clip once, prepared or failed, as soon as it is ready.

    At most ``lookahead`` clips are being prepared or waiting to be taken at any time. The order is that
    of completion, so one slow clip holds up nobody; what is ready at once comes in the order of ``clips``.
    Closing the iterator cancels what has not started.
    """
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="prepare")
    upcoming = iter(clips)
    running: dict[Future[Any], Clip] = {}

    def top_up() -> None:
        while len(running) < lookahead and (clip := next(upcoming, None)) is not None:
            running[pool.submit(prepare, clip)] = clip

    try:
        top_up()
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in [future for future in running if future in done]:
                clip = running.pop(future)
                top_up()
                yield _settle(clip, future)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _settle(clip: Clip, future: Future[Any]) -> Prepared | tuple[Clip, ClipError]:
    try:
        return Prepared(clip, future.result())
    except AnnotatorError:
        raise
    except ClipError as error:
        return clip, error
    except Exception as error:  # noqa: BLE001 - becomes this clip's recorded failure
        return clip, ClipError(ErrorKind.INTERNAL, f"preparing: {type(error).__name__}: {error}")
