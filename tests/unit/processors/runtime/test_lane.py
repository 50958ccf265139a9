"""A lane acknowledges in order, only what is durable, and nothing that belongs to an assignment that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition

from processors.runtime.continuity import OffsetGapError
from processors.runtime.handler import Handled, SourceRecord
from tests.unit.processors.bench import TOPIC, Bench, Echo, settle


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.close()


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
    assert (bench.context.done, bench.lane.in_flight, bench.context.room.used_bytes) == ({TOPIC: 3}, 0, 0)


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


async def test_the_handler_hears_of_acknowledgements_in_order_and_of_none_that_is_late() -> None:
    handler = Echo()
    bench = Bench(handler)
    for offset in range(3):
        await bench.lane.put(bench.event(offset))
    await settle()
    bench.broker.sent[1].set_result(None)
    await settle()
    assert handler.acknowledged == []
    bench.broker.sent[0].set_result(None)
    await settle()
    assert handler.acknowledged == [0, 1]
    bench.lane.close()
    bench.broker.sent[2].set_result(None)
    await settle()
    assert (handler.acknowledged, bench.acknowledged, bench.context.room.used_bytes) == ([0, 1], [0, 1], 0)
    bench.close()


async def test_what_a_handler_raises_stops_the_lane_and_acknowledges_nothing_more() -> None:
    class Failing(Echo):
        async def handle(self, record: SourceRecord) -> Handled:
            if record.offset == 1:
                raise LookupError("of the handler")
            return await super().handle(record)

    bench = Bench(Failing())
    for offset in range(3):
        await bench.lane.put(bench.event(offset))
    await settle()
    assert set(bench.broker.sent) == {0}
    bench.broker.sent[0].set_result(None)
    await settle()
    assert bench.acknowledged == [0]
    assert [str(error) for error in bench.failures] == ["of the handler"]
    bench.close()


async def test_a_revoke_ends_every_lane_and_tells_the_handler() -> None:
    handler = Echo()
    bench = Bench(handler)
    partitions = [TopicPartition(TOPIC, number) for number in (0, 1)]
    bench.committed = 1  # the one is repeated, the other comes next
    bench.lanes.given(frozenset(partitions))
    for offset, partition in enumerate(partitions):
        await bench.lanes.lane(partition).put(bench.event(offset))
    await settle()
    bench.broker.sent[0].set_result(None)
    await settle()
    assert (bench.acknowledged, bench.lanes.in_flight, handler.assignments) == ([0], 1, [frozenset(partitions)])
    before = handler.revokes
    bench.lanes.revoked()
    bench.broker.sent[1].set_result(None)
    await settle()
    assert (bench.acknowledged, bench.lanes.in_flight, bench.context.room.used_bytes) == ([0], 0, 0)
    assert (handler.revokes, bench.lanes.has_assignment) == (before + 1, False)
    bench.close()


async def test_partitions_of_two_topics_with_one_number_are_two_lanes(bench: Bench) -> None:
    one, other = (bench.lanes.lane(TopicPartition(topic, 0)) for topic in (TOPIC, "raw.probes"))
    assert one is bench.lanes.lane(TopicPartition(TOPIC, 0))
    for offset in range(2):
        await one.put(bench.event(offset))
    await settle()
    bench.committed = 7
    # Neither the offset that comes next nor an acknowledgement that is waited for is that of the other topic.
    await other.put(bench.event(7))
    await settle()
    bench.broker.sent[7].set_result(None)
    await settle()
    assert (bench.acknowledged, bench.context.done) == ([7], {"raw.probes": 1})
    assert not bench.lanes.failure.done()


async def test_takes_no_more_than_the_records_in_flight(bench: Bench) -> None:
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


async def test_a_record_that_waits_for_room_when_an_assignment_ends_is_let_go(bench: Bench) -> None:
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
async def test_a_first_record_may_follow_the_commit_repeat_or_follow_what_was_deleted(
    committed: int | None, earliest: int, offset: int, bench: Bench
) -> None:
    bench.committed, bench.earliest = committed, earliest
    await bench.lane.put(bench.event(offset))
    await settle()
    assert (set(bench.broker.sent), bench.failures) == ({offset}, [])


@pytest.mark.parametrize(("committed", "earliest", "offset"), [(5, 0, 6), (None, 0, 1), (5, 6, 7)])
async def test_a_first_record_may_not_skip_what_is_there(
    committed: int | None, earliest: int, offset: int, bench: Bench
) -> None:
    bench.committed, bench.earliest = committed, earliest
    await bench.lane.put(bench.event(offset))
    await settle()
    assert not bench.broker.sent
    assert isinstance(bench.failures[0], OffsetGapError)


async def test_nothing_is_handled_while_what_must_be_known_is_not(bench: Bench) -> None:
    bench.known.current.clear()
    await bench.lane.put(bench.event(0))
    await settle()
    assert bench.broker.sent == {}
    bench.known.current.set()
    await settle()
    assert set(bench.broker.sent) == {0}


async def test_a_drain_gets_records_back_although_what_must_be_known_is_not(bench: Bench) -> None:
    bench.known.current.clear()
    await bench.lane.put(bench.event(0))
    await settle()
    bench.flowing = False
    await asyncio.wait_for(bench.given_back.wait(), 5)
    assert (bench.unacked, bench.acknowledged, bench.failures) == (set(), [], [])
