"""Several things that close at once, as one entry of an exit stack."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from core.service.closing import ConcurrentCloser


async def test_each_is_closed_while_the_others_are() -> None:
    meeting = asyncio.Barrier(3)
    async with asyncio.timeout(10), ConcurrentCloser() as closer:
        for _ in range(3):
            closer.push(meeting.wait)
    assert not meeting.broken


async def test_what_was_entered_later_is_closed_before_and_what_was_entered_earlier_after() -> None:
    closed: list[str] = []

    async def close(name: str) -> None:
        await asyncio.sleep(0)
        closed.append(name)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(close, "pool")
        closer = await stack.enter_async_context(ConcurrentCloser())
        closer.push(close, "consumer")
        stack.push_async_callback(close, "sockets")
        closer.push(close, "producer")
    assert closed == ["sockets", "consumer", "producer", "pool"]


async def test_one_that_fails_does_not_keep_the_others_from_closing() -> None:
    closed: list[str] = []

    async def fail() -> None:
        raise OSError("gone")

    async def close() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        closed.append("slow")

    async def close_all() -> None:
        async with ConcurrentCloser() as closer:
            closer.push(fail)
            closer.push(close)

    with pytest.raises(ExceptionGroup) as caught:
        await close_all()
    assert [str(error) for error in caught.value.exceptions] == ["gone"]
    assert closed == ["slow"]
