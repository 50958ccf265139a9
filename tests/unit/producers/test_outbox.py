"""Nothing counts as durable before it is acknowledged, and nothing piles up without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from producers.send_buffer import Outbox
from tests.unit.producers.sender import Sender, turns


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
async def outbox(sender: Sender) -> AsyncIterator[Outbox]:
    made = Outbox(sender, in_flight_bytes=1000)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("early", "last"), [(0, 1), (1, 0)])
async def test_flushed_waits_for_what_was_put_before_it_and_nothing_else(
    outbox: Outbox, sender: Sender, early: int, last: int
) -> None:
    outbox.put("t", b"1", partition=0)
    outbox.put("t", b"2", partition=1)
    await turns()
    waiting = asyncio.create_task(outbox.flushed())
    await turns()
    outbox.put("t", b"3", partition=0)
    await turns()
    sender.acknowledge(early)
    await turns()
    assert not waiting.done()
    sender.acknowledge(last)
    await turns()
    assert waiting.done()
    assert not sender.sent[2].future.done()


async def test_a_full_outbox_has_room_again_when_records_are_acknowledged(outbox: Outbox, sender: Sender) -> None:
    outbox.put("t", b"x" * 1000, partition=0)
    assert outbox.full
    await turns()
    waiting = asyncio.create_task(outbox.room())
    await turns()
    assert not waiting.done()
    sender.acknowledge()
    await turns()
    assert waiting.done()
    assert outbox.bytes == 0


async def test_a_record_that_fails_for_good_fails_everything(outbox: Outbox, sender: Sender) -> None:
    outbox.put("t", b"1", partition=0)
    waiting = asyncio.create_task(outbox.flushed())
    await turns()
    sender.sent[0].future.set_exception(RuntimeError("refused"))
    await turns()
    with pytest.raises(RuntimeError, match="refused"):
        await waiting
    with pytest.raises(RuntimeError, match="refused"):
        await outbox.room()
    with pytest.raises(RuntimeError, match="refused"):
        await outbox.flushed()


async def test_offsets_are_told(outbox: Outbox, sender: Sender) -> None:
    told: list[tuple[int, int]] = []
    outbox.put("t", b"1", partition=3, acknowledged=lambda partition, offset: told.append((partition, offset)))
    await turns()
    sender.acknowledge()
    await turns()
    assert told == [(3, 0)]
