"""Nothing counts as durable before it is acknowledged, and nothing piles up without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from producers.send_buffer import SendBuffer
from tests.unit.producers.sender import Sender, turns


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
async def send_buffer(sender: Sender) -> AsyncIterator[SendBuffer]:
    made = SendBuffer(sender, in_flight_bytes=1000)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("early", "last"), [(0, 1), (1, 0)])
async def test_flushed_waits_for_what_was_put_before_it_and_nothing_else(
    send_buffer: SendBuffer, sender: Sender, early: int, last: int
) -> None:
    send_buffer.put("t", b"1", partition=0)
    send_buffer.put("t", b"2", partition=1)
    await turns()
    waiting = asyncio.create_task(send_buffer.flushed())
    await turns()
    send_buffer.put("t", b"3", partition=0)
    await turns()
    sender.acknowledge(early)
    await turns()
    assert not waiting.done()
    sender.acknowledge(last)
    await turns()
    assert waiting.done()
    assert not sender.sent[2].future.done()


async def test_a_full_outbox_has_room_again_when_records_are_acknowledged(
    send_buffer: SendBuffer, sender: Sender
) -> None:
    send_buffer.put("t", b"x" * 1000, partition=0)
    assert send_buffer.full
    await turns()
    waiting = asyncio.create_task(send_buffer.room())
    await turns()
    assert not waiting.done()
    sender.acknowledge()
    await turns()
    assert waiting.done()
    assert send_buffer.bytes == 0


async def test_a_record_that_fails_for_good_fails_everything(send_buffer: SendBuffer, sender: Sender) -> None:
    send_buffer.put("t", b"1", partition=0)
    waiting = asyncio.create_task(send_buffer.flushed())
    await turns()
    sender.sent[0].future.set_exception(RuntimeError("refused"))
    await turns()
    with pytest.raises(RuntimeError, match="refused"):
        await waiting
    with pytest.raises(RuntimeError, match="refused"):
        await send_buffer.room()
    with pytest.raises(RuntimeError, match="refused"):
        await send_buffer.flushed()


async def test_offsets_are_told(send_buffer: SendBuffer, sender: Sender) -> None:
    told: list[tuple[int, int]] = []
    send_buffer.put("t", b"1", partition=3, acknowledged=lambda partition, offset: told.append((partition, offset)))
    await turns()
    sender.acknowledge()
    await turns()
    assert told == [(3, 0)]
