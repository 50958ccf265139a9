"""A lane acknowledges in order, only what is durable, and nothing that belongs to an assignment that has ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from processors.runtime.context import Context
from processors.runtime.continuity import Continuity, OffsetGapError
from processors.runtime.lane import Lane
from processors.runtime.lanes import Validator
from processors.runtime.room import Room
from processors.validate.erasing import Erasing
from processors.validate.outcome import Outcome, Source
from processors.validate.seen import SeenSet, fingerprint
from processors.validate.verify import Verifier
from schemas.bundle import encode_line
from schemas.judge import Policy
from tests.unit.processors.material import event, wire

FIRST = event("first")


class Broker:
    """Stands for the producer: each bundle's outputs are acknowledged, or refused, when the test says so."""

    def __init__(self) -> None:
        self.sent: dict[int, asyncio.Future[None]] = {}
        self.took = asyncio.Event()

    async def publish(self, _outcome: Outcome, source: Source) -> list[asyncio.Future[None]]:
        self.sent[source.offset] = asyncio.get_running_loop().create_future()
        self.took.set()
        # As aiokafka does: a waiter that is cancelled does not cancel the batch.
        return [asyncio.shield(self.sent[source.offset])]


@dataclass
class Bench:
    """A lane with everything around it."""

    broker: Broker = field(default_factory=Broker)
    seen: SeenSet = field(default_factory=lambda: SeenSet(10))
    acknowledged: list[int] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    unacked: set[Any] = field(default_factory=set)
    flowing: bool = True
    committed: int | None = None
    earliest: int = 0
    in_flight: int = 4

    def __post_init__(self) -> None:
        self.current = asyncio.Event()
        self.current.set()
        self.given_back = asyncio.Event()
        self.verifier = Verifier(1)
        self.context = Context(
            policy=Policy(),
            erasing=Erasing(),
            until_current=self._until_current,
            partitions=1,
            bundles_in_flight=self.in_flight,
            seen_ids_per_partition=10,
            verifier=self.verifier,
            outputs=self.broker,  # type: ignore[arg-type] # has the one method that a lane calls
            room=Room(10_000),
            continuity=Continuity(self._committed, self._earliest),
            is_flowing=lambda: self.flowing,
        )
        self.lane = Lane(0, self.seen, self.context, self.failures.append)

    async def _until_current(self) -> None:
        await self.current.wait()

    async def _committed(self, _partition: int) -> int | None:
        return self.committed

    async def _earliest(self, _partition: int) -> int:
        return self.earliest

    def event(self, offset: int, value: bytes = b"{}") -> Any:
        message = SimpleNamespace(topic="raw.bundles", partition=0, offset=offset, value=value)
        self.unacked.add(offset)
        app = SimpleNamespace(consumer=SimpleNamespace(unacked=SimpleNamespace(discard=self._discard)))
        return SimpleNamespace(message=message, app=app, ack=lambda: self._ack(offset))

    def _ack(self, offset: int) -> None:
        self.unacked.discard(offset)
        self.acknowledged.append(offset)

    def _discard(self, message: Any) -> None:
        self.unacked.discard(message.offset)
        self.given_back.set()


async def settle() -> None:
    """Let every task run until it waits for something that only the test will bring."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def bench() -> Any:
    made = Bench()
    yield made
    made.lane.close()
    made.verifier.close()


async def test_acknowledges_in_order_when_outputs_are_done_out_of_order(bench: Bench) -> None:
    for offset in range(3):
        await bench.lane.put(bench.event(offset))
    await settle()
    bench.broker.sent[2].set_result(None)
    bench.broker.sent[1].set_result(None)
    await settle()
    assert bench.acknowledged == []
    bench.broker.sent[0].set_result(None)
    await settle()
    assert bench.acknowledged == [0, 1, 2]
    assert (bench.context.progress, bench.lane.in_flight, bench.context.room.used_bytes) == (3, 0, 0)


async def test_an_output_that_fails_for_good_stops_the_lane(bench: Bench) -> None:
    for offset in range(3):
        await bench.lane.put(bench.event(offset))
    await settle()
    bench.broker.sent[0].set_result(None)
    bench.broker.sent[1].set_exception(OSError("refused for good"))
    bench.broker.sent[2].set_result(None)
    await settle()
    assert bench.acknowledged == [0]
    assert [str(error) for error in bench.failures] == ["refused for good"]


async def test_learns_only_what_is_acknowledged(bench: Bench) -> None:
    key = fingerprint(wire(FIRST))
    await bench.lane.put(bench.event(0, encode_line("wss://a.example", 1, wire(FIRST))))
    await bench.broker.took.wait()  # the signature is checked in a thread
    assert bench.seen.get(key) is not None
    assert (len(bench.seen), bench.seen.in_flight) == (0, 2)
    bench.broker.sent[0].set_result(None)
    await settle()
    assert (len(bench.seen), bench.seen.in_flight) == (2, 0)


async def test_a_late_acknowledgement_of_an_ended_assignment_is_not_heard(bench: Bench) -> None:
    await bench.lane.put(bench.event(0, encode_line("wss://a.example", 1, wire(FIRST))))
    await bench.broker.took.wait()
    bench.lane.close()
    bench.broker.sent[0].set_result(None)
    await settle()
    assert bench.acknowledged == []
    assert bench.seen.get(fingerprint(wire(FIRST))) is None
    assert bench.context.room.used_bytes == 0


async def test_a_revoke_ends_every_lane_and_what_comes_back_keeps_what_it_has_seen(bench: Bench) -> None:
    bench.committed = 1  # the one is repeated, the other comes next
    validator = Validator(bench.context)
    validator.given(frozenset({0, 1}))
    for partition in (0, 1):
        await validator._lane(partition).put(bench.event(partition, encode_line("wss://a.example", 1, wire(FIRST))))
    while len(bench.broker.sent) < 2:
        await bench.broker.took.wait()
        bench.broker.took.clear()
    bench.broker.sent[0].set_result(None)
    await settle()
    assert (bench.acknowledged, validator.in_flight, validator.seen_keys) == ([0], 1, 2)
    validator.revoked()
    bench.broker.sent[1].set_result(None)
    await settle()
    assert (bench.acknowledged, validator.in_flight, bench.context.room.used_bytes) == ([0], 0, 0)
    validator.given(frozenset({0}))
    assert validator.seen_keys == 2
    validator.given(frozenset({1}))
    assert validator.seen_keys == 0


async def test_takes_no_more_than_the_bundles_in_flight(bench: Bench) -> None:
    for offset in range(4):
        await bench.lane.put(bench.event(offset))
    fifth = asyncio.create_task(bench.lane.put(bench.event(4)))
    await settle()
    assert not fifth.done()
    bench.broker.sent[0].set_result(None)
    await settle()
    assert fifth.done()


async def test_a_drain_gives_back_what_was_not_begun_and_finishes_what_was(bench: Bench) -> None:
    await bench.lane.put(bench.event(0))
    await settle()
    bench.flowing = False
    await bench.lane.put(bench.event(1))
    await settle()
    assert (set(bench.broker.sent), bench.unacked) == ({0}, {0})
    bench.broker.sent[0].set_result(None)
    await settle()
    assert (bench.acknowledged, bench.unacked, bench.lane.in_flight) == ([0], set(), 0)


async def test_whoever_waits_for_room_when_an_assignment_ends_is_let_go(bench: Bench) -> None:
    for offset in range(4):
        await bench.lane.put(bench.event(offset))
    fifth = asyncio.create_task(bench.lane.put(bench.event(4)))
    await settle()
    bench.lane.close()
    await asyncio.wait_for(fifth, 5)
    assert 4 not in bench.unacked


async def test_a_skipped_offset_stops_the_lane_before_anything_is_committed_past_it(bench: Bench) -> None:
    await bench.lane.put(bench.event(0))
    await bench.lane.put(bench.event(2))
    await settle()
    assert set(bench.broker.sent) == {0}
    assert isinstance(bench.failures[0], OffsetGapError)


@pytest.mark.parametrize(
    ("committed", "earliest", "offset"), [(5, 0, 5), (5, 0, 4), (None, 3, 3), (5, 9, 9), (5, 9, 7)]
)
async def test_a_first_bundle_may_follow_the_commit_repeat_or_follow_what_was_deleted(
    committed: int | None, earliest: int, offset: int, bench: Bench
) -> None:
    bench.committed, bench.earliest = committed, earliest
    await bench.lane.put(bench.event(offset))
    await settle()
    assert (set(bench.broker.sent), bench.failures) == ({offset}, [])


@pytest.mark.parametrize(("committed", "earliest", "offset"), [(5, 0, 6), (None, 0, 1), (5, 6, 7)])
async def test_a_first_bundle_may_not_skip_what_is_there(
    committed: int | None, earliest: int, offset: int, bench: Bench
) -> None:
    bench.committed, bench.earliest = committed, earliest
    await bench.lane.put(bench.event(offset))
    await settle()
    assert not bench.broker.sent
    assert isinstance(bench.failures[0], OffsetGapError)


async def test_nothing_is_judged_while_it_is_not_known_what_is_erased(bench: Bench) -> None:
    bench.current.clear()
    await bench.lane.put(bench.event(0))
    await settle()
    assert bench.broker.sent == {}
    bench.current.set()
    await settle()
    assert set(bench.broker.sent) == {0}


async def test_a_drain_gets_bundles_back_although_it_is_not_known_what_was_erased(bench: Bench) -> None:
    bench.current.clear()
    await bench.lane.put(bench.event(0))
    await settle()
    bench.flowing = False
    await asyncio.wait_for(bench.given_back.wait(), 5)
    assert (bench.unacked, bench.acknowledged, bench.failures) == (set(), [], [])
