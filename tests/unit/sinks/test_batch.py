"""What a batch takes from records, and when it is full."""

from __future__ import annotations

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from schemas.nostr.event import Event, encode_event
from schemas.records import event_record, sighting
from schemas.records.sighting import Sighting
from sinks.tables.topic_tables.events import EVENTS
from sinks.tables.topic_tables.sightings import SIGHTINGS, sighting_rows
from sinks.writing.batch import MAX_BATCH_BYTES, Batch

EVENT = Event("ab" * 32, "11" * 32, 5, 1, [], "c", "22" * 64)
TP = TopicPartition("events", 0)


def record(offset: int, value: bytes | None) -> ConsumerRecord[bytes | None, bytes | None]:
    return ConsumerRecord("events", 0, offset, 1000 + offset, 0, None, value, 0, 0, 0, ())


def event_value() -> bytes:
    return event_record.encode(encode_event(EVENT), "wss://a.example", 7, {"class": "regular"})


def sighting_value(*sightings: Sighting) -> bytes:
    return sighting.encode(sightings)


def test_offsets_cover_every_record_whatever_became_of_it() -> None:
    batch = Batch(1)
    batch.add(TP, 3, [record(5, None), record(6, b"garbage")], EVENTS)
    batch.add(TP, 7, [record(7, event_value()), record(9, None)], EVENTS)
    assert batch.advances[TP] == (3, 10, 1009)
    assert [entry.record.offset for entry in batch.entries] == [7]
    assert [rejected.record.offset for rejected in batch.rejected] == [6]


def test_a_url_that_no_index_takes_is_rejected() -> None:
    batch = Batch(1)
    ids = [("ab" * 32, 5)]
    for offset, relay in enumerate(["wss://a.example/" + "x" * 3000, "wss://a.example/\0"]):
        batch.add(TP, offset, [record(offset, sighting_value(Sighting(relay, 1, ids)))], SIGHTINGS)
    assert len(batch.rejected) == 2
    assert not batch.entries


@pytest.mark.slow
def test_a_batch_is_full_by_events_by_pairs_or_by_bytes() -> None:
    batch = Batch(1)
    batch.add(TP, 0, [record(0, event_value())], EVENTS)
    assert batch.is_full(1)
    assert not batch.is_full(2)
    pairs = Batch(1)
    pairs.add(TP, 0, [record(0, sighting_value(Sighting("wss://a", 1, [("ab" * 32, 5)] * 8)))], SIGHTINGS)
    assert pairs.is_full(2)
    assert not pairs.is_full(3)
    large = Batch(1)
    large.add(TP, 0, [record(0, b" " * MAX_BATCH_BYTES)], EVENTS)
    assert large.is_full(2)


def test_entries_that_are_set_apart_keep_the_places_of_the_others() -> None:
    batch = Batch(1)
    batch.add(TP, 0, [record(number, event_value()) for number in range(4)], EVENTS)
    batch.set_apart({1: "one", 3: "three"})
    assert [entry.record.offset for entry in batch.entries] == [0, 2]
    assert [(bad.record.offset, bad.detail) for bad in batch.rejected] == [(1, "one"), (3, "three")]


def test_sightings_fold_to_one_row_an_event_with_the_earliest_times() -> None:
    one, two = "ab" * 32, "01" * 32
    groups = [
        Sighting("a", 30, [(one, 5), (two, 5)]),
        Sighting("b", 20, [(one, 5)]),
        Sighting("a", 10, [(one, 5)]),
        Sighting("a", 40, [(one, 5), (one, 4)]),
    ]
    assert sighting_rows(groups, {"a": 1, "b": 2}) == [
        (4, bytes.fromhex(one), [1], [40]),
        (5, bytes.fromhex(two), [1], [30]),
        (5, bytes.fromhex(one), [1, 2], [10, 20]),
    ]
