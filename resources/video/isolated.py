"""One function over many files in isolated workers: one that hangs or crashes costs its own answer only."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.workers import IsolatedWorkers

Item = TypeVar("Item")
T = TypeVar("T")
_MAY_BE_ONE_ITEM = (ErrorKind.DECODE_TIMEOUT, ErrorKind.DECODE_CRASH, ErrorKind.INTERNAL)


def isolated_batches(
    function: Callable[[Sequence[Item]], Sequence[T | ClipError]],
    batches: Sequence[Sequence[Item]],
    workers: IsolatedWorkers,
    allowance_s: Callable[[Sequence[Item]], float] = lambda batch: 0.0,
) -> Iterator[list[T | ClipError]]:
    """The answers of ``function`` for each batch, in their order; a batch whose child fails is done item by item.

    Args:
        function: of a module, with one answer an item.
        allowance_s: seconds that a batch may take beyond the workers' own limit.
    """

    def answers(batch: Sequence[Item]) -> list[T | ClipError]:
        try:
            return [*workers.call(function, batch, timeout_s=workers.timeout_s + allowance_s(batch))]
        except ClipError as error:
            if error.kind not in _MAY_BE_ONE_ITEM:
                raise
            if len(batch) == 1:
                return [error]
        return [answer for item in batch for answer in answers([item])]

    with ThreadPoolExecutor(workers.workers, thread_name_prefix="isolated") as threads:
        yield from threads.map(answers, batches)
