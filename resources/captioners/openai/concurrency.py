"""How many requests may be in flight: fewer when the server is overloaded, slowly more when it is not."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

_RECOVERY_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to have one request in flight."""

    sent_at: float


class AdaptiveLimit:
    """Additive increase, multiplicative decrease, as TCP does it (RFC 5681).

    Starts at ``maximum``. An overload (429, 5xx, timeout) halves the limit, once for all the requests that
    were in flight together; each round of successes gives a tenth of ``maximum`` back (at least one). A
    pause that the server asked for holds back every new request.
    """

    def __init__(self, maximum: int, clock: Callable[[], float] = time.monotonic) -> None:
        if maximum < 1:
            raise ValueError(f"max_concurrency must be at least 1, not {maximum}")
        self.maximum = maximum
        self.limit = float(maximum)
        self.in_use = 0
        self._clock = clock
        self._last_cut = -float("inf")
        self._resume_at = -float("inf")
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Wait for a free slot and for the end of any pause, and hold the slot for the block."""
        await self._acquire()
        try:
            yield Slot(self._clock())
        finally:
            self.in_use -= 1
            async with self._changed:
                self._changed.notify(max(1, int(self.limit) - self.in_use))

    def succeeded(self) -> None:
        """The server answered: creep up."""
        self.limit = min(self.maximum, self.limit + max(1.0, self.maximum / _RECOVERY_ROUNDS) / self.limit)

    def overloaded(self, slot: Slot) -> None:
        """The server could not keep up with a request sent under ``slot``: back off."""
        if slot.sent_at >= self._last_cut:
            self.limit = max(1.0, self.limit / 2)
            self._last_cut = self._clock()

    def pause(self, seconds: float) -> None:
        """Send nothing new for so long, plus up to a tenth, so that several processes do not wake as one."""
        self._resume_at = max(self._resume_at, self._clock() + seconds * random.uniform(1.0, 1.1))

    async def _acquire(self) -> None:
        while True:
            if (wait := self._resume_at - self._clock()) > 0:
                await asyncio.sleep(wait)
            elif self.in_use < int(self.limit):
                self.in_use += 1
                return
            else:
                async with self._changed:
                    await self._changed.wait_for(lambda: self.in_use < int(self.limit))
