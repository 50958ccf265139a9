"""Bundles close by lines, bytes or age, hold the bytes as they came, and go by the leading bits of the id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from producers.bundle_age import BundleAge
from producers.bundler import Bundler
from producers.send_buffer import SendBuffer
from schemas.partition import event_partition
from schemas.reasons import EventError, Reason
from schemas.records.bundle import BundleLine, decode_lines
from schemas.topics import RAW_LIMIT_BYTES
from tests.unit.producers.sender import Sender, turns

RELAY = "wss://relay.example"


@pytest.fixture
def sender() -> Sender:
    return Sender(at_once=True)


@pytest.fixture
async def send_buffer(sender: Sender) -> AsyncIterator[SendBuffer]:
    made = SendBuffer(sender, in_flight_bytes=1 << 20)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def event_id(number: int, first: str = "0") -> str:
    return first + f"{number:063x}"


def raw(name: str, padding: int = 0) -> bytes:
    return b'{"id":"%b","content":"%b"}' % (name.encode(), b"x" * padding)


async def test_lines_close_a_bundle(send_buffer: SendBuffer, sender: Sender) -> None:
    bundler = Bundler(send_buffer, "b", 4, lines=3, age_ms=60_000)
    for number in range(7):
        bundler.add(RELAY, 1000 + number, raw(event_id(number)), event_id(number))
    await turns()
    assert [each.value.count(b"\n") for each in sender.sent] == [3, 3]
    await bundler.flushed()
    lines = [line for each in sender.sent for line in decode_lines(each.value)]
    assert lines == [BundleLine(RELAY, 1000 + number, raw(event_id(number))) for number in range(7)]


async def test_bytes_close_a_bundle_and_a_large_event_travels_alone(send_buffer: SendBuffer, sender: Sender) -> None:
    bundler = Bundler(send_buffer, "b", 4, max_bytes=2000, age_ms=60_000)
    bundler.add(RELAY, 1, raw(event_id(1)), event_id(1))
    bundler.add(RELAY, 1, raw(event_id(2), padding=5000), event_id(2))
    bundler.add(RELAY, 1, raw(event_id(3), padding=1200), event_id(3))
    bundler.add(RELAY, 1, raw(event_id(4), padding=1200), event_id(4))
    await turns()
    assert [each.value.count(b"\n") for each in sender.sent] == [1, 1, 1]
    assert len(sender.sent[1].value) > 5000


async def test_age_closes_a_bundle(send_buffer: SendBuffer, sender: Sender) -> None:
    bundler = Bundler(send_buffer, "b", 4, age_ms=1)
    bundler.add(RELAY, 1, raw(event_id(1)), event_id(1))
    async with asyncio.timeout(10):
        await sender.first.wait()
    assert sender.sent[0].value.count(b"\n") == 1


async def test_the_partition_is_that_of_the_id(send_buffer: SendBuffer, sender: Sender) -> None:
    bundler = Bundler(send_buffer, "b", 16, age_ms=60_000)
    for first in "0123456789abcdef":
        bundler.add(None, 1, raw(event_id(1, first)), event_id(1, first))
    await bundler.flushed()
    assert [each.partition for each in sender.sent] == [event_partition(event_id(1, f), 16) for f in "0123456789abcdef"]
    assert {each.partition for each in sender.sent} == set(range(16))


async def test_what_cannot_be_bundled_is_refused_with_a_reason(send_buffer: SendBuffer) -> None:
    bundler = Bundler(send_buffer, "b", 4)
    with pytest.raises(EventError) as error:
        bundler.add(RELAY, 1, raw(event_id(1), padding=RAW_LIMIT_BYTES), event_id(1))
    assert error.value.reason is Reason.TOO_LARGE
    with pytest.raises(EventError) as error:
        bundler.add(RELAY, 1, b'{"id":"\n"}', event_id(1))
    assert error.value.reason is Reason.NOT_JSON


@pytest.mark.parametrize(("bundles", "longer"), [(5000, True), (100, False)])
def test_the_age_grows_only_where_bundles_are_many(bundles: int, longer: bool) -> None:
    age = BundleAge(50, 0.0)
    for second in range(1, 11):
        age.closed(bundles - 1, second - 0.5)
        age.closed(1, second)
    assert age.age_s == (0.5 if longer else 0.05)
    age.closed(0, 110)
    assert age.age_s == (0.25 if longer else 0.05)
