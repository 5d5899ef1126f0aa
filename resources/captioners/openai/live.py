"""Between the annotation loop and the event loop: clips go in, answers come out in chunks as they arrive."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import TypeAlias

from anyio.from_thread import BlockingPortal

from resources.annotation.outcome import AnnotatorError, Answer, ClipError, ErrorKind
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
        except AnnotatorError:
            raise
        except Exception as error:  # noqa: BLE001 - becomes this clip's recorded failure
            return ClipError(ErrorKind.INTERNAL, f"preparing: {type(error).__name__}: {error}")
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


def stream_live(portal: BlockingPortal, sender: Sender, items: Iterator[Prepared]) -> Iterator[Chunk]:
    """Yield the answer of every item, whatever has arrived at a time.

    An eighth more clips than the sender's requests in flight are on their way at most: started, and not yet made
    durable by the caller, who does that before asking for the next chunk, while the requests go on. After a stop,
    what is in flight is still answered and yielded.

    Raises:
        AnnotatorError: the sender stopped; everything answered before has been yielded.
    """
    window = sender.max_concurrency + sender.max_concurrency // 8
    requests = LiveRequests(sender)
    under_way = 0
    while True:
        if sender.why_stopped is None and (fresh := list(islice(items, window - under_way))):
            portal.start_task_soon(requests.start, fresh)
            under_way += len(fresh)
        if not under_way:
            break
        arrived = [requests.arrived.get()]
        arrived += [requests.arrived.get_nowait() for _ in range(requests.arrived.qsize())]
        under_way -= len(arrived)
        if chunk := [(item, result) for item, result in arrived if isinstance(result, Answer | ClipError)]:
            yield chunk
        for _, result in arrived:
            if not isinstance(result, Answer | ClipError | Stopped):
                raise result
    if sender.why_stopped is not None:
        raise sender.why_stopped
