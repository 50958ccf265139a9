"""A relay is told of when its state changes, and not at every try."""

from __future__ import annotations

from producers.connector.reconnects import MINIMUM_UPTIME_S
from producers.connector.state_changes import StateChanges


def test_a_dead_relay_is_told_of_once_and_again_when_its_failure_is_another() -> None:
    changes = StateChanges()
    assert [changes.ended("unreachable") for _ in range(3)] == [True, False, False]
    assert [changes.ended("refused"), changes.ended("refused"), changes.ended("unreachable")] == [True, False, True]


def test_a_relay_is_back_once_its_connection_has_lasted() -> None:
    changes = StateChanges()
    assert changes.ended("closed")
    assert not changes.lasts(MINIMUM_UPTIME_S - 1)
    assert not changes.ended("closed"), "it accepts and drops, which is told already"
    assert [changes.lasts(MINIMUM_UPTIME_S), changes.lasts(MINIMUM_UPTIME_S + 1)] == [True, False]
    assert changes.ended("closed")


def test_the_first_connection_of_a_relay_is_told() -> None:
    changes = StateChanges()
    assert changes.lasts(MINIMUM_UPTIME_S)
    assert not changes.lasts(MINIMUM_UPTIME_S)
