"""From a request to its answer: slots, budget, attempts and waits. Runs on one event loop."""

import asyncio
import time
from dataclasses import dataclass, replace

from resources.annotation.outcome import AnnotatorError, Answer, ClipError, SetupError
from resources.captioners.openai.endpoint import Endpoint
from resources.captioners.openai.failures import Cause, Failure, backoff_s
from resources.captioners.openai.pricing import Usage
from resources.captioners.openai.reply import Judging, Reply, judge
from resources.captioners.openai.request import CaptionRequest
from resources.captioners.openai.spending import Spending
from resources.words import judgement

_BROKEN_AFTER = 8


class Stopped(Exception):
    """No request is sent any more; the clip that waited for one is left as it was."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give a clip up.

    Args:
        max_attempts: attempts at one clip, whatever fails.
        max_billed_attempts: of these, attempts that may have been charged although no answer arrived.
        backoff_s: wait before the second attempt; doubles from there.
        max_wait_s: the longest ``Retry-After`` that is waited out; a longer one ends the run.
    """

    max_attempts: int = 8
    max_billed_attempts: int = 3
    backoff_s: float = 1.0
    max_wait_s: float = 300.0


class Sender:
    """Asks for captions, many at once, and settles what each of them cost.

    ``why_stopped`` is set, to one sentence, when no caption can be had any more: a refused key, an unknown
    model, no credit, or eight clips in a row that all failed. ``in_flight`` holds the ids of the clips
    whose request is under way; those are still answered after a stop.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        max_concurrency: int,
        spending: Spending,
        patience: Patience,
        judging: Judging = judgement.judge,
    ) -> None:
        self.why_stopped: AnnotatorError | None = None
        self.in_flight: set[str] = set()
        self._endpoint = endpoint
        self.max_concurrency = max_concurrency
        self._slots = asyncio.Semaphore(max_concurrency)
        self._spending = spending
        self._patience = patience
        self._judging = judging
        self._has_answered = False
        self._failed_in_a_row = 0
        self._bound_factor = 1.0
        self._measured = not spending.has_limit
        self._first = asyncio.Lock()
        self._settled = asyncio.Condition()

    async def caption(self, request: CaptionRequest) -> Answer | ClipError:
        """The outcome of one clip, after as many attempts as it takes.

        Raises:
            Stopped: see ``why_stopped``; this clip was not answered.
        """
        async with self._slots:
            return await self._caption(request)

    async def _caption(self, request: CaptionRequest) -> Answer | ClipError:
        """Waits between attempts with the slot in hand, so that an overloaded server is asked less often."""
        failed = billed = 0
        while True:
            try:
                result, seconds = await self._attempt(request, failed + 1)
            except ClipError as unpaid:
                return unpaid
            if isinstance(result, Reply):
                self._failed_in_a_row = 0
                cost = self._spending.cost(result.usage)
                shown = {**request.details, "attempts": failed + 1}
                if self._endpoint.dialect.without:
                    shown["sent_without"] = self._endpoint.dialect.without
                return judge(result, seconds, cost, shown, self._judging)
            failed += 1
            if result.is_forbidden and await self._answers_others():
                result = replace(result, cause=Cause.FORBIDDEN)
            billed += result.cause.may_be_billed
            if result.cause is Cause.FATAL or (result.retry_after_s or 0) > self._patience.max_wait_s:
                self._stop(result)
                raise Stopped
            exhausted = failed >= self._patience.max_attempts or billed >= self._patience.max_billed_attempts
            if exhausted or not result.cause.is_retried:
                return self._give_up(result, failed)
            await asyncio.sleep(max(result.retry_after_s or 0.0, backoff_s(failed, self._patience.backoff_s)))

    async def _attempt(self, request: CaptionRequest, number: int) -> tuple[Reply | Failure, float]:
        """One attempt, and its seconds. With a budget, the very first goes alone, to show what one costs."""
        if not self._measured:
            async with self._first:
                if not self._measured:
                    return await self._paid_attempt(request, number)
        return await self._paid_attempt(request, number)

    async def _answers_others(self) -> bool:
        """Has the server answered a clip, at the latest one of those that it is busy with now?"""
        async with self._settled:
            await self._settled.wait_for(lambda: self._has_answered or not self.in_flight)
        return self._has_answered

    async def _paid_attempt(self, request: CaptionRequest, number: int) -> tuple[Reply | Failure, float]:
        largest = self._largest_cost(request)
        reservation = await self._reserve(largest)
        if self.why_stopped is not None:
            await self._settle(reservation, 0.0)
            raise Stopped
        started = time.monotonic()
        charged = largest
        self.in_flight.add(request.clip_id)
        try:
            result = await self._endpoint.ask(request.body, f"{request.clip_id}-{number}")
            charged = self._charged(result, largest)
        finally:
            self.in_flight.discard(request.clip_id)
            await self._settle(reservation, charged)
        if isinstance(result, Reply):
            self._measured = self._has_answered = True
            if result.usage is not None:
                self._bound_factor = max(
                    self._bound_factor, result.usage.tokens_in / request.size.bound.tokens_in
                )
        return result, time.monotonic() - started

    async def _reserve(self, usd: float) -> str | None:
        """Money for a request that costs any.

        Raises:
            ClipError: the request might pass the limit.
        """
        if self._spending.price is None:
            return None
        async with self._settled:
            while not self._spending.is_spent:
                if (reservation := self._spending.reserve(usd)) is not None:
                    return reservation
                if not self._spending.waiting_for_own:
                    break
                await self._settled.wait()
        raise self._spending.spent()

    async def _settle(self, reservation: str | None, usd: float) -> None:
        if reservation is not None:
            self._spending.settle(reservation, usd)
        async with self._settled:
            self._settled.notify_all()

    def _largest_cost(self, request: CaptionRequest) -> float:
        bound = request.size.bound
        usage = Usage(int(bound.tokens_in * self._bound_factor) + 1, bound.tokens_out)
        return self._spending.cost(usage) or 0.0

    def _charged(self, result: Reply | Failure, largest: float) -> float:
        """What to book: the real cost where it is known, the largest one where it might have been charged."""
        if result.usage is not None:
            return self._spending.cost(result.usage) or 0.0
        return largest if isinstance(result, Reply) or result.cause.may_be_billed else 0.0

    def _give_up(self, failure: Failure, attempts: int) -> ClipError:
        if failure.cause is not Cause.REFUSED:
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= _BROKEN_AFTER:
                self._stop(failure)
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        return ClipError(failure.cause.error_kind, f"{failure.cause}: {failure.message} ({times})")

    def _stop(self, failure: Failure) -> None:
        if self.why_stopped is not None:
            return
        if failure.cause is Cause.FATAL:
            self.why_stopped = SetupError(failure.message)
        elif failure.retry_after_s is not None and failure.retry_after_s > self._patience.max_wait_s:
            self.why_stopped = SetupError(
                f"{failure.message}; it asks to wait {failure.retry_after_s:.0f} s, longer than max_wait_s "
                f"({self._patience.max_wait_s:.0f} s): run again after that"
            )
        else:
            self.why_stopped = AnnotatorError(
                f"{self._failed_in_a_row} clips in a row failed, the last with {failure.cause}: {failure.message}"
            )
