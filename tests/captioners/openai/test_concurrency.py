import asyncio

import pytest

from resources.captioners.openai.concurrency import AdaptiveLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def _slot(limit):
    async with limit.slot() as slot:
        return slot


def test_a_storm_halves_the_limit_once_and_successes_give_it_back():
    async def scenario():
        clock = Clock()
        limit = AdaptiveLimit(64, clock)
        together = [await _slot(limit) for _ in range(64)]
        clock.now = 1.0
        for slot in together:
            limit.overloaded(slot)
        assert limit.limit == 32
        clock.now = 2.0
        limit.overloaded(await _slot(limit))
        assert limit.limit == 16
        rounds = 0
        while limit.limit < 64:
            rounds += 1
            for _ in range(int(limit.limit)):
                limit.succeeded()
        assert 5 <= rounds <= 12

    asyncio.run(scenario())


def test_the_limit_never_falls_below_one_request():
    async def scenario():
        clock = Clock()
        limit = AdaptiveLimit(2, clock)
        for _ in range(10):
            clock.now += 1
            limit.overloaded(await _slot(limit))
        assert limit.limit == 1.0

    asyncio.run(scenario())


def test_never_more_in_use_than_the_limit_allows():
    async def scenario():
        limit = AdaptiveLimit(3)
        most = 0

        async def use():
            nonlocal most
            async with limit.slot():
                most = max(most, limit.in_use)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(use() for _ in range(30)))
        assert (most, limit.in_use) == (3, 0)

    asyncio.run(scenario())


def test_a_waiting_clip_that_is_cancelled_takes_no_slot_with_it():
    async def scenario():
        limit = AdaptiveLimit(1)
        async with limit.slot():
            waiting = asyncio.create_task(_slot(limit))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(_slot(limit), 60)

    asyncio.run(scenario())


def test_no_concurrency_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        AdaptiveLimit(0)
