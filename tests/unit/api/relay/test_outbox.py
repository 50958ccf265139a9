"""What waits for a reader is bounded, is sent in order, and is given up as a whole."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from api.live.ring import LiveEvent
from api.relay.outbox import Outbox
from api.relay.outgoing import PLACE_BYTES, Outgoing
from api.relay.unsent import Unsent
from core.tasks import cancel
from tests.unit.api.live.made import live, numbered


class Reader:
    """Takes what is sent, if it is let."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.reads = asyncio.Event()
        self.is_sent_to = asyncio.Event()

    async def send(self, buffers: Sequence[bytes]) -> None:
        self.is_sent_to.set()
        await self.reads.wait()
        self.taken.append(b"".join(buffers))


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
        held = Outgoing(b"h" * 60)
        assert outbox.reserve(held)
        outbox.release(held)
        assert outbox.reserve(held)
        outbox.put(b"a" * 40)
        assert not outbox.is_full.done()
        assert not outbox.reserve(Outgoing(b"b"))
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


OPENING = b'["EVENT","sub",'


def with_text(event: LiveEvent) -> Outgoing:
    return Outgoing(OPENING, event.text, event.shared)


async def test_an_event_is_put_together_as_it_is_sent() -> None:
    async with sending(10_000) as (outbox, reader):
        outbox.put_event(Outgoing(OPENING, b'{"id":""}'))
        outbox.put_event(with_text(event := live(numbered(1))))
        reader.reads.set()
        await reader.is_sent_to.wait()
        await asyncio.sleep(0)
        assert reader.taken == [b'["EVENT","sub",{"id":""}]', OPENING + event.text + b"]"]


async def test_a_text_counts_once_however_many_wait_with_it() -> None:
    """Hundreds of readers wait with a large event, of whom none is slow."""
    event, other = live(numbered(1, "x" * 2**20)), live(numbered(2, "y" * 2**20))
    unsent = Unsent(most_bytes=3 * 2**20)
    outboxes = [Outbox(2**22, unsent) for _ in range(300)]
    for each in outboxes:
        each.put_event(with_text(event))
        each.put_event(with_text(other))
    assert not any(each.is_full.done() for each in outboxes)
    assert unsent.size_bytes == len(event.text) + len(other.text) + 600 * PLACE_BYTES
    for each in outboxes[1:]:
        each.end()
    assert unsent.size_bytes == len(event.text) + len(other.text) + 2 * PLACE_BYTES
    outboxes[0].end()
    assert (unsent.size_bytes, event.shared.waiting, other.shared.waiting) == (0, 0, 0)


async def test_what_waits_keeps_the_text_of_an_event_and_not_its_tags() -> None:
    """An event that is all tags takes twenty times as much as its text, which alone is counted."""
    unsent = Unsent()
    outbox = Outbox(2**20, unsent)
    tracemalloc.start()
    outbox.put_event(with_text(live(numbered(1)._replace(tags=[["t"] for _ in range(20_000)]))))
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 1.1 * unsent.size_bytes + 10_000


async def test_a_reader_is_cut_at_all_that_waits_for_it_though_others_wait_with_the_same() -> None:
    unsent = Unsent()
    slow, fast = Outbox(2**20, unsent), Outbox(2**20, unsent)
    reader = Reader()
    reader.reads.set()
    task = asyncio.create_task(fast.send_all(reader.send))
    for number in range(5):
        event = live(numbered(number, "x" * 2**18))
        slow.put_event(with_text(event))
        fast.put_event(with_text(event))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await cancel(task)
    assert (slow.is_full.done(), fast.is_full.done()) == (True, False)
    assert len(reader.taken) == 5
    assert unsent.size_bytes == 0


async def test_not_those_are_given_up_who_wait_with_many_but_who_has_most_of_its_own() -> None:
    unsent = Unsent(most_bytes=2**20)
    readers = [Outbox(2**20, unsent) for _ in range(100)]
    hoarder = Outbox(2**20, unsent)
    hoarder.put(b"x" * 2**18)
    for number in range(3):
        event = live(numbered(number, "x" * 2**18))
        for each in readers:
            each.put_event(with_text(event))
    assert hoarder.is_full.done()
    assert not any(each.is_full.done() for each in readers)


async def test_of_those_who_wait_with_the_same_the_most_is_given_up() -> None:
    """By bytes, not by messages."""
    unsent = Unsent(most_bytes=2**20)
    slow, fast = Outbox(2**22, unsent), Outbox(2**22, unsent)
    for number in range(20):
        fast.put_event(with_text(live(numbered(number))))
    for number in range(20, 25):
        event = live(numbered(number, "x" * 2**18))
        slow.put_event(with_text(event))
        if number == 22:
            fast.put_event(with_text(event))
    assert (slow.is_full.done(), fast.is_full.done()) == (True, False)
    assert 2**18 < unsent.size_bytes < 2**18 + 20_000


async def test_nothing_is_sent_once_it_is_given_up() -> None:
    async with sending(100) as (outbox, reader):
        reader.reads.set()
        await asyncio.sleep(0)
        outbox.put(b"a")
        outbox.end()
        for _ in range(3):
            await asyncio.sleep(0)
        assert reader.taken == []


async def test_what_is_held_or_being_sent_is_let_go_with_the_rest() -> None:
    unsent = Unsent()
    event = live(numbered(1))
    reader, outbox = Reader(), Outbox(2**20, unsent)
    held = with_text(event)
    assert outbox.reserve(held)
    task = asyncio.create_task(outbox.send_all(reader.send))
    outbox.put_event(with_text(event))
    await reader.is_sent_to.wait()
    outbox.put_event(with_text(event))
    assert event.shared.waiting == 3
    assert unsent.size_bytes == len(event.text) + 3 * PLACE_BYTES
    outbox.end()
    assert (event.shared.waiting, unsent.size_bytes) == (0, 0)
    outbox.put_reserved(held)
    outbox.release(held)
    reader.reads.set()
    await asyncio.sleep(0)
    await cancel(task)
    assert (event.shared.waiting, unsent.size_bytes) == (0, 0)
