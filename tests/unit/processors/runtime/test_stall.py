"""A consumer that stands still beside work is stuck; an idle one, or one whose broker is away, is not."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from processors.runtime.source_offsets import Standing
from processors.runtime.stall import StallDetector, StalledError, work_and_progress
from tests.clocks import Clock

ONE, OTHER = TopicPartition("raw.bundles", 0), TopicPartition("raw.bundles", 1)


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def detector(clock: Clock) -> StallDetector:
    return StallDetector(60.0, clock)


def test_work_without_progress_is_stuck(detector: StallDetector, clock: Clock) -> None:
    detector.observe(3, 0)
    clock.now_s = 59
    assert detector.observe(3, 0) == 59
    clock.now_s = 60
    with pytest.raises(StalledError, match="3 records"):
        detector.observe(3, 0)


def test_idle_is_healthy_however_long(detector: StallDetector, clock: Clock) -> None:
    for hour in range(5):
        clock.now_s = hour * 3600
        assert detector.observe(0, 0) == 0
    # Work that comes after a long rest has its whole time.
    assert detector.observe(1, 0) == 0
    clock.now_s += 59
    assert detector.observe(1, 0) == 59


def test_progress_and_an_absent_broker_begin_anew(detector: StallDetector, clock: Clock) -> None:
    detector.observe(3, 0)
    clock.now_s = 59
    assert detector.observe(3, 1) == 0
    clock.now_s = 118
    detector.interrupt()
    assert detector.observe(3, 1) == 0
    clock.now_s = 177
    assert detector.observe(3, 1) == 59


def test_a_group_that_shares_nothing_out_is_stuck_although_more_comes(detector: StallDetector, clock: Clock) -> None:
    def observe(lag: int, committed: int) -> float:
        return detector.observe(
            *work_and_progress(Standing({ONE: lag, OTHER: 0}, {ONE: committed, OTHER: 9}), set(), 0)
        )

    observe(3, 5)
    clock.now_s = 50
    assert observe(4, 6) == 0, "another member works"
    clock.now_s = 109
    assert observe(50, 6) == 59
    clock.now_s = 110
    with pytest.raises(StalledError, match="60 records"):
        observe(60, 6)


def test_only_the_work_of_our_own_partitions_counts(detector: StallDetector, clock: Clock) -> None:
    standing = Standing({ONE: 0, OTHER: 7}, {ONE: 5, OTHER: 5})
    for now in (0, 100, 200):
        clock.now_s = now
        assert detector.observe(*work_and_progress(standing, {ONE}, 1)) == 0
    assert work_and_progress(standing, {ONE, OTHER}, 1) == (7, 1)


def test_work_in_one_topic_does_not_hide_that_another_stands_still() -> None:
    other = TopicPartition("raw.probes", 0)
    standing = Standing({ONE: 3, other: 9}, {ONE: 5, other: 7})
    assert standing.of("raw.bundles") == Standing({ONE: 3}, {ONE: 5})
    assert work_and_progress(standing.of("raw.probes"), {other}, 1) == (9, 1)
    assert work_and_progress(standing.of("raw.probes"), set(), 1) == (9, {other: 7})
