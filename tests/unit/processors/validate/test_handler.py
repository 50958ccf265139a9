"""A partition remembers only what is acknowledged, and only for as long as it comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka import TopicPartition

from core.settings import DiscoverySettings
from processors.runtime.handler import Progress
from processors.validate.erasing import Erasing
from processors.validate.handler import ValidationHandler
from processors.validate.known.pairs import RelayTokens
from processors.validate.opening import shared_count
from processors.validate.outputs import Outputs
from processors.validate.verify import Verifier
from schemas.nostr.judge import Policy
from schemas.records.bundle import encode_line
from tests.unit.processors.bench import TOPIC, Bench, settle
from tests.unit.processors.material import event, wire

LINE = encode_line("wss://a.example", 1, wire(event("first")))
FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
KEYS = 2  # of an event: its bytes and its id


@pytest.fixture
def handler() -> Iterator[ValidationHandler]:
    verifier = Verifier(1)
    yield ValidationHandler(
        policy=Policy(),
        erasing=Erasing(),
        partitions=1,
        seen_ids_per_partition=10,
        relays=RelayTokens(),
        archive=None,
        verifier=verifier,
        outputs=Outputs("", 1),
        discovery=DiscoverySettings(),
    )
    verifier.close()


@pytest.fixture
async def bench(handler: ValidationHandler) -> AsyncIterator[Bench]:
    made = Bench(handler)
    yield made
    made.close()


def details(handler: ValidationHandler) -> dict[str, object]:
    partition = TopicPartition(TOPIC, 3)
    return handler.status(Progress(frozenset({partition}), {"t": 7}, 2, 90, {partition: 5}))


async def published(bench: Bench, *offsets: int) -> None:
    """Wait until what follows from the bundles is with the broker; signatures are checked in a thread."""
    while not set(offsets) <= bench.broker.sent.keys():
        bench.broker.took.clear()
        await bench.broker.took.wait()


async def is_new(bench: Bench, partition: TopicPartition, offset: int) -> bool:
    """Whether a copy that comes now is taken for a new event, which is published again."""
    await bench.lanes.lane(partition).put(bench.event(offset, LINE))
    await published(bench, offset)
    return any(output.topic == "events" and output.records for output in bench.broker.outputs[offset])


async def test_learns_only_what_is_acknowledged(bench: Bench, handler: ValidationHandler) -> None:
    assert await is_new(bench, FIRST, 0)
    assert handler.seen_keys == 0
    assert not await is_new(bench, FIRST, 1), "it is in flight, so it is known"
    bench.broker.sent[0].set_result(None)
    await settle()
    assert handler.seen_keys == KEYS
    assert not await is_new(bench, FIRST, 2)


async def test_a_late_acknowledgement_of_an_ended_assignment_teaches_nothing(
    bench: Bench, handler: ValidationHandler
) -> None:
    assert await is_new(bench, FIRST, 0)
    bench.lanes.revoked()
    bench.broker.sent[0].set_result(None)
    await settle()
    assert (bench.acknowledged, handler.seen_keys, bench.context.room.used_bytes) == ([], 0, 0)
    bench.committed = 1
    assert await is_new(bench, FIRST, 1)


async def test_what_comes_back_keeps_what_it_has_seen(bench: Bench, handler: ValidationHandler) -> None:
    bench.committed = 1  # the one is repeated, the other comes next
    bench.lanes.given(frozenset({FIRST, SECOND}))
    for offset, partition in enumerate((FIRST, SECOND)):
        await bench.lanes.lane(partition).put(bench.event(offset, LINE))
    await published(bench, 0, 1)
    bench.broker.sent[0].set_result(None)
    await settle()
    assert (bench.acknowledged, bench.lanes.in_flight, handler.seen_keys) == ([0], 1, KEYS)
    bench.lanes.revoked()
    bench.broker.sent[1].set_result(None)
    await settle()
    assert (bench.acknowledged, handler.seen_keys) == ([0], KEYS)
    bench.lanes.given(frozenset({FIRST}))
    assert handler.seen_keys == KEYS
    bench.lanes.given(frozenset({SECOND}))
    assert handler.seen_keys == 0


async def test_relays_are_told_once_in_an_assignment(bench: Bench, handler: ValidationHandler) -> None:
    def copy(number: int) -> bytes:
        return encode_line("wss://a.example", 5 + number, wire(event(f"{number}: wss://named.example")))

    async def told(offset: int) -> bool:
        await bench.lanes.lane(FIRST).put(bench.event(offset, copy(offset)))
        await published(bench, offset)
        return any(output.topic == "relays.found" and output.records for output in bench.broker.outputs[offset])

    assert await told(0)
    assert not await told(1), "the bundle before is not committed before its relays are durable"
    handler.revoked()
    assert await told(2), "what was in flight may be handled again by this process"


def test_the_status_is_worded_in_bundles(handler: ValidationHandler) -> None:
    assert details(handler) == {
        "partitions": [3],
        "bundles_done": 7,
        "bundles_in_flight": 2,
        "bytes_in_flight": 90,
        "seen_keys": 0,
        "erasures": 0,
        "lag": {"3": 5},
    }


@pytest.mark.parametrize("counts", [{"a": 4, "b": 8}, {"a": 3, "b": 3}])
def test_topics_keyed_by_event_id_share_one_power_of_two(counts: dict[str, int]) -> None:
    assert shared_count({"a": 4, "b": 4}) == 4
    with pytest.raises(ValueError, match="one power of two"):
        shared_count(counts)
