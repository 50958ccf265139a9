"""When refusals are a storm, whatever batches they come in."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from sinks.tables.topic_table import Record
from sinks.tables.topic_tables.events import EVENTS
from sinks.writing.batch import Batch, Rejected
from sinks.writing.rejection_breaker import RejectionBreaker, StormError

TP = TopicPartition("nostr.events", 3)
DETAIL = 'new row breaks the rule "x"\nDETAIL: of strangers'


def batch_of(first: int, count: int, refused: set[int], *, step: int = 1) -> Batch:
    """Records from an offset on, `step` apart, of which those at some offsets are refused."""
    batch = Batch(1)
    offsets = range(first, first + count * step, step)
    records: list[Record] = [ConsumerRecord(*TP, offset, 0, 0, b"", None, 0, 0, 0, ()) for offset in offsets]
    batch.add(TP, first, records, EVENTS)
    batch.rejected += [Rejected(record, DETAIL) for record in records if record.offset in refused]
    return batch


def storm_at(detector: RejectionBreaker, sizes: list[int], refused: set[int]) -> int | None:
    """The offset at which the batch begins that is a storm."""
    for first, size in zip(accumulate([0, *sizes]), sizes, strict=False):
        batch = batch_of(first, size, refused)
        try:
            detector.check(batch)
        except StormError:
            return first
        detector.take(batch)
    return None


@pytest.mark.parametrize("sizes", [[1000], [10] * 100, [1] * 1000, [999, 1]])
def test_half_of_a_stretch_is_no_storm_and_one_more_is(sizes: list[int]) -> None:
    half = set(range(0, 1000, 2))
    assert storm_at(RejectionBreaker(1000, 0.5), sizes, half) is None
    assert storm_at(RejectionBreaker(1000, 0.5), sizes, half | {999}) is not None


def test_what_lies_further_back_than_a_stretch_is_forgotten() -> None:
    rng = random.Random(3)
    for _ in range(50):
        refused = {number for number in range(400) if rng.random() < rng.choice([0.2, 0.5, 0.7])}
        sizes = [rng.randrange(1, 60) for _ in range(20)]
        ends = list(accumulate(sizes))
        worst = [sum(number in refused for number in range(max(0, end - 50), end)) for end in range(1, ends[-1] + 1)]
        first = next((end for end, count in enumerate(worst) if count > 25), None)
        found = storm_at(RejectionBreaker(50, 0.5), sizes, refused)
        assert found == (None if first is None else max(begin for begin in [0, *ends] if begin <= first))


def test_refusals_of_an_instance_before_count_by_their_offsets() -> None:
    for_one = RejectionBreaker(100, 0.5)
    before = batch_of(0, 60, set(range(20, 60)))
    stored = for_one.check(before)[TP]
    assert stored == list(range(20, 60))
    for_one.take(before)
    successor = RejectionBreaker(100, 0.5)
    successor.resume(TP, 60, stored)
    for detector in (for_one, successor):
        assert detector.check(batch_of(60, 11, set(range(60, 70))))[TP] == list(range(20, 70))
        with pytest.raises(StormError):
            detector.check(batch_of(60, 11, set(range(60, 71))))
    successor.resume(TP, 1000, stored)
    assert successor.check(batch_of(1000, 40, set(range(1000, 1040))))[TP] == list(range(1000, 1040))


def test_holes_that_compaction_left_do_not_stretch_a_stretch() -> None:
    with pytest.raises(StormError):
        RejectionBreaker(100, 0.5).check(batch_of(0, 60, set(range(0, 6000, 10)), step=10))


def test_the_whole_of_a_stretch_is_no_storm_where_the_operator_says_so() -> None:
    assert storm_at(RejectionBreaker(100, 1.0), [50] * 6, set(range(300))) is None


def test_the_message_names_reason_place_and_remedy_and_repeats_no_row() -> None:
    with pytest.raises(StormError) as caught:
        RejectionBreaker(10, 0.5).check(batch_of(7, 9, set(range(9, 16))))
    text = str(caught.value)
    named = ("partition 3 of topic nostr.events", '7 times: new row breaks the rule "x".', "9, 10, 11", "offset 7 on")
    assert [part for part in named if part not in text] == []
    assert "strangers" not in text
    assert "rejections replay" in text
