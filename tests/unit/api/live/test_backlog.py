"""The archive is behind where what was received some seconds ago is not written, by a sink that writes."""

from __future__ import annotations

import pytest

from api.live.backlog import BEHIND_S, RECOVERY_S, Backlog
from tests.clocks import Clock

SINK_S = 10.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backlog(clock: Clock) -> Backlog:
    return Backlog(SINK_S, clock)


def test_nothing_is_known_at_first(backlog: Backlog) -> None:
    assert not backlog.is_behind()
    backlog.note_written({0: 5})
    assert not backlog.is_behind()


def test_what_was_received_a_moment_ago_need_not_be_written(backlog: Backlog, clock: Clock) -> None:
    backlog.note_written({0: 5, 1: 5})
    backlog.note_ends({0: 10, 1: 5})
    assert not backlog.is_behind()
    clock.now_s += BEHIND_S
    assert backlog.is_behind()
    backlog.note_written({0: 10, 1: 5})
    assert not backlog.is_behind()


def test_more_that_comes_meanwhile_does_not_count(backlog: Backlog, clock: Clock) -> None:
    for second in range(20):
        backlog.note_ends({0: 100 * second})
        backlog.note_written({0: 100 * (second - 1)})
        assert not backlog.is_behind()
        clock.now_s += 1.0
    for second in range(20, 40):
        backlog.note_ends({0: 100 * second})
        backlog.note_written({0: 100 * (second - 5)})
        clock.now_s += 1.0
    assert backlog.is_behind()


def test_it_recovers_a_minute_from_when_it_was_last_late(backlog: Backlog, clock: Clock) -> None:
    backlog.note_ends({0: 10})
    clock.now_s += BEHIND_S
    backlog.note_written({0: 5})
    for second in range(int(RECOVERY_S)):
        assert backlog.is_behind()
        backlog.note_written({0: 10 + second})
        clock.now_s += 1.0
    assert not backlog.is_behind()


def test_a_sink_that_stands_still_is_not_helped(backlog: Backlog, clock: Clock) -> None:
    backlog.note_written({0: 5})
    backlog.note_ends({0: 10})
    clock.now_s += SINK_S + 1
    assert not backlog.is_behind()
    assert backlog.note_written({0: 6})
    assert backlog.is_behind()
    assert not backlog.note_written({0: 6})
    clock.now_s += SINK_S + 1
    assert not backlog.is_behind()
