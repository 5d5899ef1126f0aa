"""The retry ladder: from a batch that failed down to the one clip that is to blame."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from resources.annotation.outcome import AnnotatorError, Answer, ClipError, ErrorKind

_REGROW_AFTER = 32
BROKEN_AFTER = 8

_log = logging.getLogger(__name__)

Result: TypeAlias = Answer | ClipError


def is_out_of_memory(error: BaseException) -> bool:
    """Is this a host or device allocation failure? Told without importing torch."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


@dataclass
class Ladder:
    """Runs batches through an annotator and turns every failure into the outcome of the clip it belongs to.

    * out of memory: the batch is halved; the largest size that fitted becomes :attr:`batch_size`, which
      doubles again after a run of batches that all fitted, so one huge clip does not slow the rest of a shard;
    * any other error: clip by clip, so that a poison clip fails alone;
    * the first error of each kind is logged, and :attr:`isolated` counts the batches that were taken apart;
    * an unexpected error for each of the first eight clips: the annotator itself is broken, and saying so
      beats marking a whole shard as failed. Not so where ``may_be_broken`` is false, because all that is left
      of a shard are clips that failed before.
    """

    annotate: Callable[[Sequence[Any]], Sequence[Result]]
    batch_size: int
    may_be_broken: bool = field(default=True, kw_only=True)
    log: Callable[[str], None] = field(default=_log.warning, kw_only=True)
    isolated: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._largest = self.batch_size
        self._fitted_in_a_row = self._first_errors = 0
        self._squeezed = False
        self._told: set[str] = set()

    def run(self, items: Sequence[Any]) -> list[Result]:
        """One result for each item, in order.

        Raises:
            AnnotatorError: the annotator is unusable; no clip is to blame.
        """
        self._squeezed = False
        results, fitted = self._descend(items)
        if self._squeezed:
            self.batch_size = max(1, min(self.batch_size, fitted))
            self._fitted_in_a_row = 0
        elif len(items) >= self.batch_size:
            self._regrow()
        return results

    def _descend(self, items: Sequence[Any]) -> tuple[list[Result], int]:
        """The results, and the largest batch that fitted on the way."""
        outcome = self._attempt(items)
        if not isinstance(outcome, Exception):
            self.may_be_broken = False
            return outcome, len(items)
        self._tell(outcome, len(items))
        if is_out_of_memory(outcome):
            self._squeezed = True
            if len(items) == 1:
                return [ClipError(ErrorKind.OUT_OF_MEMORY, f"does not fit even alone: {outcome}")], 0
            middle = (len(items) + 1) // 2
            parts = [self._descend(items[:middle]), self._descend(items[middle:])]
        elif len(items) == 1:
            return [self._unexpected(outcome)], 1
        else:
            self.isolated += 1
            parts = [self._descend([item]) for item in items]
        return [result for part, _ in parts for result in part], max(fitted for _, fitted in parts)

    def _attempt(self, items: Sequence[Any]) -> list[Result] | Exception:
        try:
            results = list(self.annotate(items))
            if len(results) != len(items):
                raise RuntimeError(f"the annotator gave {len(results)} results for {len(items)} clips")
            return results
        except AnnotatorError:
            raise
        except Exception as error:  # noqa: BLE001 - becomes the recorded failure of these clips
            # A live traceback would keep the tensors of the failed batch allocated while smaller ones are tried.
            return error.with_traceback(None)

    def _tell(self, error: Exception, clips: int) -> None:
        kind = type(error).__name__
        if kind not in self._told:
            self._told.add(kind)
            self.log(f"a batch of {clips} clips failed and is done in smaller ones: {kind}: {error}")

    def _regrow(self) -> None:
        self._fitted_in_a_row += 1
        if self.batch_size < self._largest and self._fitted_in_a_row >= _REGROW_AFTER:
            self._fitted_in_a_row = 0
            self.batch_size = min(self._largest, 2 * self.batch_size)

    def _unexpected(self, error: Exception) -> ClipError:
        self._first_errors += 1
        if self.may_be_broken and self._first_errors >= BROKEN_AFTER:
            raise AnnotatorError(
                f"the first {self._first_errors} clips failed, the last with {type(error).__name__}: {error}"
            ) from error
        return ClipError(ErrorKind.INTERNAL, f"{type(error).__name__}: {error}")
