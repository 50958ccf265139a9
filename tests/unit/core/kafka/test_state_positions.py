"""A followed topic is read once every partition has reached an end that was asked for after it was assigned."""

from __future__ import annotations

import pytest

from core.kafka.state_positions import ReadPositions


@pytest.fixture
def positions() -> ReadPositions:
    made = ReadPositions()
    made.assign([0, 1])
    return made


def test_every_partition_must_have_reached_an_end(positions: ReadPositions) -> None:
    assert positions.note(0, 5, [(5, 100.0)])
    assert not positions.is_read(), "of the other nothing is known"
    assert positions.note(1, 3, [(4, 100.0)])
    assert not positions.is_read()
    assert positions.note(1, 4, [(4, 100.0)])
    assert positions.is_read()


def test_all_of_a_topic_is_read_only_once_something_of_it_is_known() -> None:
    positions = ReadPositions()
    assert positions.is_read(), "nothing is wanted"
    positions.assign(None)
    assert not positions.is_read()
    positions.note(0, 0, [(0, 100.0)])
    assert positions.is_read()


def test_it_is_as_current_as_the_partition_that_is_behind(positions: ReadPositions) -> None:
    positions.note(0, 5, [(5, 100.0), (5, 107.0)])
    positions.note(1, 4, [(4, 100.0), (9, 107.0)])
    assert positions.is_current(100.0)
    assert not positions.is_current(101.0)
    positions.note(1, 9, [(4, 100.0), (9, 108.0)])
    assert positions.is_current(107.0)


def test_nothing_new_is_no_news_and_knowledge_does_not_get_older(positions: ReadPositions) -> None:
    positions.note(0, 5, [(5, 100.0)])
    assert not positions.note(0, 5, [(5, 100.0)])
    assert not positions.note(0, 5, [(6, 200.0)]), "an end that was not reached says nothing"
    positions.note(1, 0, [(0, 100.0)])
    assert positions.is_current(100.0)


def test_what_returns_is_read_from_its_beginning_and_what_stays_goes_on(positions: ReadPositions) -> None:
    for partition in (0, 1):
        positions.note(partition, 5, [(5, 100.0)])
    positions.assign([1, 2])
    assert positions.reached == {1: 5}
    assert not positions.is_read()
    positions.note(2, 0, [(0, 100.0)])
    assert positions.is_read()
    positions.assign([0, 1, 2])
    assert positions.reached == {1: 5, 2: 0}
    assert not positions.is_read()
