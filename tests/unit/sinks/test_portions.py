"""What took too long is tried in halves, in order, and grows again."""

from __future__ import annotations

import random
from collections.abc import Sequence

from aiokafka import ConsumerRecord, TopicPartition

from core.archive.connection import TimedOutError
from schemas.nostr.event import Event, encode_event
from schemas.records import event_record
from sinks.portion import Portion, in_portions
from sinks.tables.topic_table import Record
from sinks.tables.topic_tables.events import EVENTS
from sinks.writing.batch import Batch
from sinks.writing.portions import Portions

VALUE = event_record.encode(
    encode_event(Event("ab" * 32, "11" * 32, 5, 1, [], "c", "22" * 64)), "wss://a.example", 7, {"class": "regular"}
)
PARTITIONS = [TopicPartition("events", number) for number in range(3)]


def some_batch(rng: random.Random) -> Batch:
    """Records of three partitions, among them tombstones, bad ones and holes, read in several polls."""
    batch = Batch(1)
    following = dict.fromkeys(PARTITIONS, 0)
    for _ in range(rng.randrange(1, 8)):
        tp = rng.choice(PARTITIONS)
        offset = expected = following[tp]
        records: list[Record] = []
        for _ in range(rng.randrange(1, 6)):
            offset += rng.choice([0, 0, 0, 2])
            value = rng.choice([VALUE, VALUE, None, b"bad"])
            records.append(ConsumerRecord(tp.topic, tp.partition, offset, offset + 1000, 0, None, value, 0, 0, 0, ()))
            offset += 1
        following[tp] = offset
        batch.add(tp, expected, records, EVENTS)
    batch.sent = rng.randrange(len(batch.rejected) + 1)
    return batch


def places(batch: Batch) -> list[tuple[int, int]]:
    return [(entry.record.partition, entry.record.offset) for entry in batch.entries]


def test_the_parts_of_a_batch_are_the_batch() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        batch = some_batch(rng)
        parts = batch.split(rng.randrange(len(batch.entries) + 1))
        assert places(parts[0]) + places(parts[1]) == places(batch)
        assert parts[0].rows + parts[1].rows == +batch.rows
        assert parts[0].sent + parts[1].sent == batch.sent
        sent = [each.record for part in parts for each in part.rejected[: part.sent]]
        assert {id(each) for each in sent} == {id(each.record) for each in batch.rejected[: batch.sent]}
        for tp, advance in batch.advances.items():
            met = [part for part in parts if tp in part.advances]
            assert [offset for part in met for offset in part.offsets[tp]] == batch.offsets[tp]
            reached = advance.expected
            for part in met:
                span = part.advances[tp]
                offsets = part.offsets[tp]
                assert span.expected == reached <= offsets[0]
                assert offsets[-1] < span.following
                assert span.last_timestamp_ms == 1000 + offsets[-1]
                taken = [each.record for each in part.entries] + [each.record for each in part.rejected]
                assert {each.offset for each in taken if each.partition == tp.partition} <= set(offsets)
                reached = span.following
            assert reached == advance.following


def test_a_batch_is_tried_in_halves_until_what_takes_long_is_alone() -> None:
    batch = Batch(1)
    tp = PARTITIONS[0]
    records: list[Record] = [
        ConsumerRecord("events", 0, offset, 0, 0, None, VALUE, 0, 0, 0, ()) for offset in range(100)
    ]
    batch.add(tp, 0, records, EVENTS)
    portions = Portions()
    portions.take(batch)
    written, sizes = [], []
    while (part := portions.part()) is not None:
        offsets = [entry.record.offset for entry in part.entries]
        sizes.append(len(offsets))
        if 37 in offsets and len(offsets) > 1:
            portions.timed_out()
            continue
        written += offsets
        portions.written()
    assert written == list(range(100))
    assert sizes[:3] == [100, 50, 25]
    assert len(sizes) < 20
    # It has grown meanwhile, and half a batch was enough before.
    portions.take(batch)
    after = portions.part()
    assert after is not None
    assert len(after.entries) >= 16


def test_a_part_without_entries_moves_offsets_and_is_no_part_of_a_batch_without_records() -> None:
    portions = Portions()
    portions.take(Batch(1))
    assert portions.part() is None
    batch = Batch(1)
    batch.add(PARTITIONS[0], 0, [ConsumerRecord("events", 0, 3, 0, 0, None, None, 0, 0, 0, ())], EVENTS)
    portions.take(batch)
    assert portions.part() is batch


def test_a_portion_grows_by_what_was_as_large_as_it_may_be() -> None:
    portion = Portion(100)
    portion.halve(40)
    portion.grow(19)
    assert portion.size == 20
    portion.grow(20)
    assert portion.size == 40
    portion.grow(40)
    portion.grow(80)
    assert portion.size == 100
    portion.halve(1)
    assert portion.size == 1


async def test_work_in_portions_is_done_once_each_in_order_and_with_a_smaller_limit() -> None:
    done: list[int] = []
    tried: list[tuple[int, int]] = []

    async def work(some: Sequence[int], limit: int) -> None:
        tried.append((len(some), limit))
        if len(tried) in (1, 2):
            raise TimedOutError("too many")
        done.extend(some)

    await in_portions(range(10), 8, work)
    assert done == list(range(10))
    assert tried == [(8, 8), (4, 4), (2, 2), (4, 4), (4, 8)]
