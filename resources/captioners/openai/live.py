"""Between the annotation loop and the event loop: clips go in, answers come out in chunks as they arrive."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TypeAlias

from anyio.from_thread import BlockingPortal

from resources.annotation.outcome import Answer, ClipError
from resources.annotation.prefetch import Prepared
from resources.captioners.openai.sender import Sender, Stopped

Chunk: TypeAlias = Sequence[tuple[Prepared, Answer | ClipError]]
Arrived: TypeAlias = tuple[Prepared, Answer | ClipError | BaseException]


class LiveRequests:
    """The requests under way. Its methods run on the event loop; ``arrived`` may be read from any thread.

    Every item that was started arrives exactly once: answered, or with the exception that prevented it.
    """

    def __init__(self, sender: Sender) -> None:
        self.arrived: SimpleQueue[Arrived] = SimpleQueue()
        self._sender = sender
        self._tasks: dict[asyncio.Task[Answer | ClipError], Prepared] = {}

    def start(self, items: Sequence[Prepared]) -> None:
        """Begin with these clips. The payload of an item is the future of its request."""
        for item in items:
            task = asyncio.get_running_loop().create_task(self._answer(item))
            self._tasks[task] = item
            task.add_done_callback(self._arrive)

    async def _answer(self, item: Prepared) -> Answer | ClipError:
        try:
            is_made = item.payload.done()
            request = item.payload.result() if is_made else await asyncio.wrap_future(item.payload)
        except ClipError as error:
            return error
        return await self._sender.caption(request)

    def _arrive(self, task: asyncio.Task[Answer | ClipError]) -> None:
        item = self._tasks.pop(task)
        if task.cancelled():
            self.arrived.put((item, Stopped()))
        else:
            self.arrived.put((item, task.exception() or task.result()))
        if self._sender.why_stopped is not None:
            for other, waiting in self._tasks.items():
                if waiting.clip.id not in self._sender.in_flight:
                    other.cancel()


def stream_live(
    portal: BlockingPortal, sender: Sender, items: Iterator[Prepared], window: int
) -> Iterator[Chunk]:
    """Yield the answer of every item, whatever has arrived at a time.

    At most ``window`` clips are on their way: started, and not yet made durable by the caller, who does that
    before asking for the next chunk. After a stop, what is in flight is still answered and yielded.

    Raises:
        AnnotatorError: the sender stopped; everything answered before has been yielded.
    """
    requests = LiveRequests(sender)
    under_way = 0
    while True:
        if sender.why_stopped is None and (fresh := list(islice(items, window - under_way))):
            portal.start_task_soon(requests.start, fresh)
            under_way += len(fresh)
        if not under_way:
            break
        arrived = _take_all(requests.arrived)
        under_way -= len(arrived)
        if chunk := [(item, result) for item, result in arrived if isinstance(result, Answer | ClipError)]:
            yield chunk
        for _, result in arrived:
            if not isinstance(result, Answer | ClipError | Stopped):
                raise result
    if sender.why_stopped is not None:
        raise sender.why_stopped


def _take_all(arrived: "SimpleQueue[Arrived]") -> list[Arrived]:
    """Wait for one result, then take whatever else is there."""
    results = [arrived.get()]
    try:
        while True:
            results.append(arrived.get_nowait())
    except Empty:
        return results
