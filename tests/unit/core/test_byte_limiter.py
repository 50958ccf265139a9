"""No more than the limit is in use, those who wait are let in in turn, and a failure ends the waiting."""

from __future__ import annotations

import asyncio

import pytest

from core.byte_limiter import ByteLimiter


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_fits_is_taken_at_once_and_the_rest_when_there_is_room() -> None:
    limiter = ByteLimiter(10)
    await limiter.acquire(6)
    assert limiter.takes(4)
    assert not limiter.takes(5)
    waiting = asyncio.create_task(limiter.acquire(5))
    await turns()
    assert (limiter.used_bytes, waiting.done()) == (6, False)
    limiter.release(6)
    await waiting
    assert limiter.used_bytes == 5


async def test_something_larger_than_the_limit_is_let_in_alone() -> None:
    limiter = ByteLimiter(10)
    await limiter.acquire(1)
    large = asyncio.create_task(limiter.acquire(100))
    await turns()
    assert not large.done()
    limiter.release(1)
    await large
    assert limiter.full


async def test_small_ones_do_not_overtake_a_large_one() -> None:
    limiter = ByteLimiter(10)
    await limiter.acquire(5)
    large = asyncio.create_task(limiter.acquire(9))
    await turns()
    assert not limiter.takes(1)
    small = asyncio.create_task(limiter.acquire(1))
    await turns()
    assert (large.done(), small.done()) == (False, False)
    limiter.release(5)
    await asyncio.gather(large, small)
    assert limiter.used_bytes == 10


async def test_a_cancelled_wait_takes_nothing_and_lets_the_next_one_in() -> None:
    limiter = ByteLimiter(10)
    await limiter.acquire(10)
    first, second = asyncio.create_task(limiter.acquire(10)), asyncio.create_task(limiter.acquire(10))
    await turns()
    first.cancel()
    limiter.release(10)
    await second
    assert (first.cancelled(), limiter.used_bytes) == (True, 10)


async def test_what_is_taken_without_waiting_counts_for_those_who_wait() -> None:
    limiter = ByteLimiter(10)
    limiter.take(25)
    below, empty = asyncio.create_task(limiter.below_limit()), asyncio.create_task(limiter.empty())
    await turns()
    limiter.release(15)
    await turns()
    assert not below.done()
    limiter.release(1)
    await below
    assert not empty.done()
    limiter.release(9)
    await empty


async def test_a_failure_ends_every_wait_and_takes_nothing() -> None:
    failures: list[Exception] = []

    def check() -> None:
        if failures:
            raise failures[0]

    limiter = ByteLimiter(10, check)
    limiter.take(10)
    waits = [asyncio.create_task(each) for each in (limiter.acquire(1), limiter.below_limit(), limiter.empty())]
    await turns()
    failures.append(RuntimeError("refused"))
    limiter.wake()
    assert [str(error) for error in await asyncio.gather(*waits, return_exceptions=True)] == ["refused"] * 3
    with pytest.raises(RuntimeError, match="refused"):
        await limiter.below_limit()
    assert limiter.used_bytes == 10
