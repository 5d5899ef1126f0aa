"""One function over many files in isolated workers: one that hangs or crashes costs its own answer only."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.workers import IsolatedWorkers

Item = TypeVar("Item", bound=tuple)
T = TypeVar("T")
_MAY_BE_ONE_ITEM = (ErrorKind.DECODE_TIMEOUT, ErrorKind.DECODE_CRASH, ErrorKind.INTERNAL)


def isolated(
    function: Callable[..., T],
    items: Sequence[Item],
    per_call: int,
    workers: IsolatedWorkers,
    allowance_s: Callable[[Item], float] = lambda item: 0.0,
) -> Iterator[list[tuple[Item, T | ClipError]]]:
    """Each item with what a function of a module returns for it or raises, batch after batch, in their order.

    Args:
        items: the arguments, file by file.
        per_call: items in a batch; one whose child fails is done again item by item.
        allowance_s: seconds that an item adds to the workers' own limit of a call.
    """

    def answered(batch: Sequence[Item]) -> list[tuple[Item, T | ClipError]]:
        limit_s = workers.timeout_s + sum(map(allowance_s, batch))
        try:
            return list(zip(batch, workers.call(for_each, function, batch, timeout_s=limit_s), strict=True))
        except ClipError as error:
            if error.kind not in _MAY_BE_ONE_ITEM:
                raise
            if len(batch) == 1:
                return [(batch[0], error)]
        return [one for item in batch for one in answered([item])]

    batches = (items[start : start + per_call] for start in range(0, len(items), per_call))
    with ThreadPoolExecutor(workers.workers, thread_name_prefix="isolated") as threads:
        yield from threads.map(answered, batches)


def for_each(function: Callable[..., T], items: Sequence[tuple]) -> list[T | ClipError]:
    """What the function returns or raises for each item, in this process."""
    answers: list[T | ClipError] = []
    for item in items:
        try:
            answers.append(function(*item))
        except ClipError as error:
            answers.append(error)
    return answers
