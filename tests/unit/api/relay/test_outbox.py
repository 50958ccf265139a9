"""What waits for a reader is bounded, is sent in order, and is given up as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.relay.outbox import Outbox
from api.relay.unsent import Unsent
from core.tasks import cancel


class Reader:
    """Takes what is sent, if it is let."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.reads = asyncio.Event()
        self.is_sent_to = asyncio.Event()

    async def send(self, frame: bytes) -> None:
        self.is_sent_to.set()
        await self.reads.wait()
        self.taken.append(frame)


@asynccontextmanager
async def sending(limit_bytes: int) -> AsyncIterator[tuple[Outbox, Reader]]:
    outbox, reader = Outbox(limit_bytes, Unsent()), Reader()
    task = asyncio.create_task(outbox.send_all(reader.send))
    yield outbox, reader
    await cancel(task)


async def test_messages_are_sent_in_order() -> None:
    async with sending(100) as (outbox, reader):
        for text in (b"one", b"two", b"three"):
            outbox.put(text)
        reader.reads.set()
        await outbox.room()
        await asyncio.sleep(0)
        outbox.put(b"four")
        await asyncio.sleep(0)
        assert reader.taken == [b"one", b"two", b"three", b"four"]
        assert not outbox.is_full.done()


async def test_with_more_than_the_bound_it_is_given_up() -> None:
    async with sending(100) as (outbox, reader):
        outbox.put(b"a" * 60)
        outbox.put(b"b" * 40)
        assert not outbox.is_full.done()
        outbox.put(b"c")
        assert outbox.is_full.done()
        outbox.put(b"d")
        reader.reads.set()
        await asyncio.sleep(0)
        assert reader.taken == []


async def test_what_is_being_sent_counts() -> None:
    async with sending(100) as (outbox, reader):
        outbox.put(b"a" * 60)
        await reader.is_sent_to.wait()
        outbox.put(b"b" * 41)
        assert outbox.is_full.done()


async def test_one_message_may_be_larger_than_the_bound() -> None:
    async with sending(100) as (outbox, reader):
        outbox.put(b"a" * 1000)
        assert not outbox.is_full.done()
        reader.reads.set()
        await reader.is_sent_to.wait()
        await asyncio.sleep(0)
        assert reader.taken == [b"a" * 1000]


async def test_what_is_held_counts_until_it_is_let_go() -> None:
    async with sending(100) as (outbox, _):
        assert outbox.reserve(60)
        outbox.release(60)
        assert outbox.reserve(60)
        outbox.put(b"a" * 40)
        assert not outbox.is_full.done()
        assert not outbox.reserve(1)
        assert outbox.is_full.done()


async def test_there_is_room_once_little_waits() -> None:
    async with sending(2**20) as (outbox, reader):
        await outbox.room()
        outbox.put(b"a" * 2**19)
        waiting = asyncio.create_task(outbox.room())
        await reader.is_sent_to.wait()
        assert not waiting.done()
        reader.reads.set()
        await waiting
        assert reader.taken == [b"a" * 2**19]


async def test_of_all_that_waits_the_most_is_given_up() -> None:
    unsent = Unsent(most_bytes=100)
    outboxes = [Outbox(1000, unsent) for _ in range(3)]
    outboxes[0].put(b"a" * 30)
    outboxes[1].charge(40)
    outboxes[2].put(b"c" * 30)
    assert not any(each.is_full.done() for each in outboxes)
    outboxes[2].put(b"d")
    assert [each.is_full.done() for each in outboxes] == [False, True, False]
    assert unsent.size_bytes == 61
    outboxes[1].charge(-40)
    outboxes[2].put(b"e" * 70)
    assert [each.is_full.done() for each in outboxes] == [False, True, True]
    outboxes[0].end()
    assert unsent.size_bytes == 0
