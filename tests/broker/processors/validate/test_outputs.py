"""What does not fit is a rejection and never a crash; what is too much for one batch or record becomes several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from core import kafka
from core.settings import Settings
from processors.runtime.outputs import BatchPublisher
from processors.validate.discovery.findings import Findings
from processors.validate.outcome import NewEvent, Outcome, Refused, Source
from processors.validate.outputs import Outputs
from schemas.nostr.relay_mentions import mentions
from schemas.reasons import Reason
from schemas.records.erasure import Cause, Erasure
from schemas.records.sighting import decode
from schemas.topics import configs, physical
from tests.broker.processors.harness import alter, records, rejected
from tests.unit.processors.material import event, wire
from tests.waiting import until

pytestmark = pytest.mark.broker
LIMIT = 4_000
SOURCE = Source("raw.bundles", 1, 7)


@pytest.fixture
async def publisher(ours: Settings) -> AsyncIterator[BatchPublisher]:
    producer = await kafka.producer(ours)
    yield BatchPublisher(producer)
    await kafka.stop_client(producer)


async def publish(publisher: BatchPublisher, settings: Settings, outcome: Outcome) -> None:
    """Publish to topics whose records may be small only."""
    limits = {"events": LIMIT, "rejections": LIMIT}
    outputs = Outputs(settings.kafka.topic_prefix, settings.kafka.partitions, limits)
    await asyncio.gather(*await publisher.publish(outputs.of(outcome, SOURCE)))


async def test_an_event_that_its_topic_does_not_take_is_rejected_with_its_bytes(
    publisher: BatchPublisher, ours: Settings
) -> None:
    small, large = event("small"), event("x" * 2_000)
    outcome = Outcome(2, 0, 2)
    outcome.records(1).events = [
        NewEvent(bytes.fromhex(made.id), wire(made) + b" " * padding, wire(made), "wss://a.example", 5)
        for made, padding in ((small, 0), (large, LIMIT))
    ]
    await publish(publisher, ours, outcome)
    assert [record.key.hex() for record in await records(ours, "events")] == [small.id]
    ((item, value),) = await rejected(ours)
    assert (item.reason, item.relay, item.source_offset, value) == (
        Reason.OUTPUT_TOO_LARGE,
        "wss://a.example",
        7,
        wire(large),
    )


async def test_a_rejection_that_its_topic_does_not_take_keeps_what_fits(
    publisher: BatchPublisher, ours: Settings
) -> None:
    outcome = Outcome(1, 0, 0, refused=[Refused(b"x" * 2 * LIMIT, Reason.NOT_JSON, None, "is no JSON")])
    await publish(publisher, ours, outcome)
    ((item, value),) = await rejected(ours)
    assert item.reason is Reason.NOT_JSON
    assert LIMIT // 2 < len(value) < LIMIT


async def test_more_than_a_batch_and_more_than_a_record_take_are_split_and_complete(
    publisher: BatchPublisher, ours: Settings
) -> None:
    outcome = Outcome(0, 0, 0)
    ids = [f"{number:064x}" for number in range(10_000)]
    outcome.records(2).events = [NewEvent(bytes.fromhex(found), b"{}" * 500, b"", None, 1) for found in ids]
    outcome.records(2).sightings = {(f"wss://{found}.example", 1): [(found, 2)] for found in ids}
    await publish(publisher, ours, outcome)
    published = await records(ours, "events")
    assert [(record.partition, record.key.hex()) for record in published] == [(2, found) for found in ids]
    sightings = await records(ours, "sightings")
    assert len(sightings) > 1
    assert [group.ids[0][0] for record in sightings for group in decode(record.value)] == ids


@pytest.mark.parametrize("name", ["events", "sightings", "erasures", "relays.found", "rejections", "quarantine"])
async def test_whichever_output_kafka_refuses_is_told_to_what_waits(ours: Settings, name: str) -> None:
    made = event("x" * 200)
    refused = Refused(wire(made), Reason.BAD_SIGNATURE, "sig", "is not the author's")
    outcome = Outcome(1, 0, 1, refused=[refused], quarantined=[refused])
    outcome.records(1).events = [NewEvent(bytes.fromhex(made.id), wire(made), wire(made), "wss://a.example", 5)]
    outcome.records(1).sightings = {("wss://a.example", 5): [(made.id, made.created_at)]}
    outcome.erasures = [Erasure(id=made.id, pubkey=made.pubkey, cause=Cause.DELETION, erased_at_ms=5)]
    relays = Findings()
    relays.add(mentions(event("wss://a.example")), made.pubkey, 5)
    outcome.relays = list(relays)
    await alter(ours, name, configs(name) | {"max.message.bytes": "100"})
    async with AsyncExitStack() as stack:
        probing, producer = await kafka.producer(ours), await kafka.producer(ours)
        for each in (probing, producer):
            stack.push_async_callback(kafka.stop_client, each)

        async def refuses() -> bool:  # the broker obeys a while after it has answered
            try:
                topic = physical(ours.kafka.topic_prefix, name)
                await probing.send_and_wait(topic, wire(made), key=b"a compacted topic wants one", partition=0)
            except MessageSizeTooLargeError:
                return True
            return False

        await until(refuses, "the broker refuses the record")
        outputs = Outputs(ours.kafka.topic_prefix, ours.kafka.partitions)
        sent = await BatchPublisher(producer).publish(outputs.of(outcome, SOURCE))
        told = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(result) for result in told if isinstance(result, BaseException)] == [MessageSizeTooLargeError]
