"""Between the loop's thread and the event loop: clips go in, answers come out in chunks as they arrive."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from resources.annotation.outcome import Answer, ClipError
from resources.annotation.prefetch import Prepared
from resources.captioners.openai.sender import Sender, Stopped

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

Chunk = Sequence[tuple[Prepared, Answer | ClipError]]


def stream_live(
    portal: "BlockingPortal", sender: Sender, items: Iterator[Prepared], window: int
) -> Iterator[Chunk]:
    """Yield the answer of every item; at most ``window`` of them are under way or not yet taken at a time.

    The payload of an item is the future of its request. Requests go on while the caller makes a chunk
    durable. After a stop, what is in flight is still answered and yielded; the rest is not.

    Raises:
        AnnotatorError: the sender stopped; everything answered before has been yielded.
    """
    arrived: SimpleQueue[Future] = SimpleQueue()
    waiting: dict[Future, Prepared] = {}
    try:
        while True:
            while (
                len(waiting) < window
                and sender.why_stopped is None
                and (item := next(items, None)) is not None
            ):
                future = portal.start_task_soon(_answer, sender, item)
                waiting[future] = item
                future.add_done_callback(arrived.put)
            if not waiting:
                break
            done = [(waiting.pop(future), future) for future in _take_all(arrived)]
            if chunk := [(item, future.result()) for item, future in done if _is_answered(future)]:
                yield chunk
            for _, future in done:
                if not future.cancelled() and not isinstance(error := future.exception(), Stopped | None):
                    raise error
            if sender.why_stopped is not None:
                for future, item in list(waiting.items()):
                    if item.clip.id not in sender.in_flight:
                        future.cancel()
    finally:
        for future in list(waiting):
            future.cancel()
        wait(list(waiting))
    if sender.why_stopped is not None:
        raise sender.why_stopped


async def _answer(sender: Sender, item: Prepared) -> Answer | ClipError:
    import asyncio

    try:
        request = await asyncio.wrap_future(item.payload)
    except ClipError as error:
        return error
    return await sender.caption(request)


def _take_all(arrived: "SimpleQueue[Future]") -> list[Future]:
    """Wait for one result, then take whatever else is there."""
    futures = [arrived.get()]
    try:
        while True:
            futures.append(arrived.get_nowait())
    except Empty:
        return futures


def _is_answered(future: Future) -> bool:
    return not future.cancelled() and future.exception() is None
