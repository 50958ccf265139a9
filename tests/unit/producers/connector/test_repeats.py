"""What a relay has just sent is not bundled again, and what another relay or another text brings always is."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from producers.bundler import Bundler
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.connector.reading.repeats import Repeats
from producers.rejecting import Rejections
from producers.relay_client.refusals import RelayError
from producers.relay_client.subscriptions import Subscription
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.records.bundle import BundleLine, decode_lines
from schemas.records.coverage import Copies
from tests.unit.processors.material import event, other_bytes, wire
from tests.unit.producers.sender import Sender

RELAYS = ("wss://a.example", "wss://b.example")
TEXTS = [wire(event(str(number))) for number in range(50)] + [other_bytes(event("0"))]


async def test_copies_are_bundled_once_for_each_relay_and_text() -> None:
    sender = Sender(at_once=True)
    send_buffer = SendBuffer(sender, 1 << 30)
    running = asyncio.create_task(send_buffer.run())
    bundler, rejections = Bundler(send_buffer, "bundles", 1), Rejections(send_buffer, "rejections", 1, "connector")
    repeats, taken = Repeats(), list[bytes]()
    intakes = [
        Intake(relay, bundler, rejections, Budget(1 << 30, 1 << 30), repeats=repeats, taken=taken.append)
        for relay in RELAYS
    ]
    for _ in range(5):
        for text in TEXTS:
            fields = orjson.loads(text)
            for intake in intakes:
                intake.event(Subscription("live", Filter()), text, fields["id"], fields)
    await bundler.flushed()
    running.cancel()
    lines = [line for sent in sender.sent for line in decode_lines(sent.value)]
    assert sorted((line.relay, line.event) for line in lines if isinstance(line, BundleLine)) == sorted(
        (relay, text) for relay in RELAYS for text in TEXTS
    )
    assert len(taken) == len(lines)
    for intake in intakes:
        assert intake.copies == Copies(received=5 * len(TEXTS), repeated=4 * len(TEXTS))
        assert intake.copies.overhead == 5.0
    gone_on = Intake(RELAYS[0], bundler, rejections, Budget(1, 1), copies=intakes[0].copies)
    assert gone_on.copies == intakes[0].copies


def test_a_relay_of_which_nothing_came_has_no_overhead() -> None:
    assert Copies().overhead is None
    with pytest.raises(ValueError, match="repeated: is more than received"):
        Copies(received=1, repeated=2)


def test_what_is_remembered_is_bounded_and_the_newest() -> None:
    repeats = Repeats(remembered=10)
    marks = [repeats.mark("wss://a.example", b"%d" % number) for number in range(100)]
    for mark in marks:
        repeats.add(mark)
    known = [repeats.known(mark) for mark in marks]
    assert all(known[-10:])
    assert sum(known) <= 20


async def test_a_relay_that_repeats_without_end_is_left_for_the_hour() -> None:
    send_buffer = SendBuffer(Sender(), 1 << 30)
    bundler, rejections = Bundler(send_buffer, "bundles", 1), Rejections(send_buffer, "rejections", 1, "connector")
    intake = Intake(RELAYS[0], bundler, rejections, Budget(1 << 30, 1 << 30), repeats_per_hour=10)
    fields = orjson.loads(TEXTS[0])
    for _ in range(11):
        intake.event(Subscription("live", Filter()), TEXTS[0], fields["id"], fields)
    with pytest.raises(RelayError) as error:
        intake.event(Subscription("live", Filter()), TEXTS[0], fields["id"], fields)
    assert error.value.state == "over_budget"
    assert 3590 < error.value.wait_s <= 3600
