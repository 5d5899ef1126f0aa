"""One function over many files in isolated workers: one that hangs or crashes costs its own answer only."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.workers import IsolatedWorkers

Item = TypeVar("Item")
T = TypeVar("T")
_MAY_BE_ONE_ITEM = (ErrorKind.DECODE_TIMEOUT, ErrorKind.DECODE_CRASH, ErrorKind.INTERNAL)


def isolated(
    function: Callable[[Sequence[Item]], Sequence[T | ClipError]],
    items: Sequence[Item],
    per_call: int,
    workers: IsolatedWorkers,
    allowance_s: Callable[[Item], float] = lambda item: 0.0,
) -> Iterator[list[tuple[Item, T | ClipError]]]:
    """Each item with its answer, in their order, batch after batch; one whose child fails is done item by item.

    Args:
        function: of a module, with one answer an item.
        per_call: items in a batch.
        allowance_s: seconds that an item adds to the workers' own limit of a call.
    """

    def answered(batch: Sequence[Item]) -> list[tuple[Item, T | ClipError]]:
        limit_s = workers.timeout_s + sum(map(allowance_s, batch))
        try:
            return list(zip(batch, workers.call(function, batch, timeout_s=limit_s), strict=True))
        except ClipError as error:
            if error.kind not in _MAY_BE_ONE_ITEM:
                raise
            if len(batch) == 1:
                return [(batch[0], error)]
        return [one for item in batch for one in answered([item])]

    batches = (items[start : start + per_call] for start in range(0, len(items), per_call))
    with ThreadPoolExecutor(workers.workers, thread_name_prefix="isolated") as threads:
        yield from threads.map(answered, batches)
