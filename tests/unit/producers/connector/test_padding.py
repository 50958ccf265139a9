"""Any relay can add members, white space and escapes to any author's event; the archive does not keep them."""

from __future__ import annotations

import asyncio
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.bundler import Bundler
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.connector.reading.padding import SPARE_BYTES, trim
from producers.rejecting import Rejections
from producers.relay_client.refusals import RelayError
from producers.relay_client.subscriptions import Subscription
from producers.send_buffer import SendBuffer
from schemas.nostr.event import encode_event
from schemas.nostr.filters import Filter
from schemas.nostr.judge import Policy, judge
from schemas.records.bundle import BundleLine, decode_lines
from schemas.topics import RAW_LIMIT_BYTES
from tests.unit.processors.material import event, forged_content, wire
from tests.unit.producers.sender import Sender

SMALL = event("small")
LARGE = event("x" * 4000)
PADDED = [
    wire(SMALL)[:-1] + b',"more":"' + b"y" * 5000 + b'"}',
    wire(SMALL)[:-1] + b" " * 5000 + b"}",
    b'{"content":"' + b"z" * 5000 + b'",' + wire(SMALL)[1:],
    wire(LARGE)[:-1] + b',"more":[' + b"1," * 5000 + b"1]}",
]


@pytest.mark.parametrize("text", PADDED)
def test_padding_is_replaced_and_counted(text: bytes) -> None:
    trimmed = trim(text, orjson.loads(text))
    assert trimmed.text in (encode_event(SMALL), encode_event(LARGE))
    assert trimmed.padding_bytes == len(text) - len(trimmed.text) - SPARE_BYTES
    assert judge(trimmed.text, Policy()) == judge(text, Policy())


@pytest.mark.parametrize(
    "text",
    [
        wire(LARGE),
        wire(LARGE)[:-1] + b',"received_at":1}',
        json.dumps(json.loads(wire(LARGE)), indent=4).encode(),
        json.dumps(event("\u00df" * 4000)._asdict()).encode(),  # two bytes, or an escape of six
    ],
    ids=["as signed", "a member more", "indented", "escaped"],
)
def test_usual_spellings_are_not_charged(text: bytes) -> None:
    assert trim(text, orjson.loads(text)).padding_bytes == 0


def test_half_a_surrogate_does_not_hide_padding() -> None:
    text = wire(event("\ud800"))[:-1] + b',"more":"' + b"y" * 5000 + b'"}'
    trimmed = trim(text, json.loads(text))
    assert len(trimmed.text) < 500
    assert trimmed.padding_bytes > 3000
    assert judge(trimmed.text, Policy()) == judge(text, Policy())


@given(
    st.binary(max_size=3000).map(lambda filler: {"content": 5, "more": filler.hex() * 2}),
)
def test_what_is_no_event_stays_as_it_is(fields: dict[str, object]) -> None:
    text = orjson.dumps(fields)
    assert trim(text, fields) == (text, 0)


async def test_an_event_is_bundled_without_its_padding_and_the_relay_is_charged() -> None:
    sender = Sender(at_once=True)
    send_buffer = SendBuffer(sender, 1 << 30)
    running = asyncio.create_task(send_buffer.run())
    bundler = Bundler(send_buffer, "bundles", 1)
    budget = Budget(RAW_LIMIT_BYTES, 1 << 30)
    intake = Intake("wss://relay.example", bundler, Rejections(send_buffer, "rejections", 1, "connector"), budget)
    asked = Subscription("live", Filter())
    # Beyond what a bundle takes, so that it would be refused as it came.
    padded = wire(SMALL)[:-1] + b',"more":"' + b"y" * RAW_LIMIT_BYTES + b'"}'
    intake.event(asked, padded, SMALL.id, orjson.loads(padded))
    with pytest.raises(RelayError):
        intake.event(asked, padded, SMALL.id, orjson.loads(padded))
    intake.event(asked, wire(forged_content(LARGE)), LARGE.id, orjson.loads(wire(forged_content(LARGE))))
    await bundler.flushed()
    running.cancel()
    lines = [line for sent in sender.sent for line in decode_lines(sent.value)]
    assert [line.event for line in lines if isinstance(line, BundleLine)] == [
        encode_event(SMALL),  # once: of the second one, only the padding was new
        wire(forged_content(LARGE)),
    ]
