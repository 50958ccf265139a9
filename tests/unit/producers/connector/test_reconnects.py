"""A relay is dialled again soon where that brings something, and seldom where it does not."""

from __future__ import annotations

from producers.connector.reconnects import LONGEST_WAIT_S, MOST_AN_HOUR, Reconnects
from producers.relay_client.refusals import AskOtherwiseError, RelayError
from tests.clocks import Clock

CUT = RelayError("disconnected", "cut")


def test_progress_is_rewarded_and_bounded() -> None:
    clock = Clock(0.0)
    reconnects = Reconnects(clock)
    dialled = 0
    while clock.now_s < 3600:
        clock.now_s += reconnects.wait_s(CUT, progress=True, lasted_s=0.1)
        dialled += 1
    assert MOST_AN_HOUR * 0.9 < dialled <= MOST_AN_HOUR + 1


def test_without_progress_the_waits_grow_to_an_hour() -> None:
    reconnects = Reconnects(Clock(0.0))
    waits = [reconnects.wait_s(CUT, progress=False, lasted_s=0.1) for _ in range(30)]
    assert max(waits[:3]) <= 4
    assert max(waits) > LONGEST_WAIT_S / 10
    assert reconnects.wait_s(CUT, progress=True, lasted_s=0.1) <= 1
    assert reconnects.wait_s(AskOtherwiseError("in turns"), progress=False, lasted_s=0.1) <= 1


def test_a_relay_that_says_for_how_long_is_believed_the_hundredth_time_too() -> None:
    clock = Clock(0.0)
    reconnects = Reconnects(clock)
    for _ in range(100):
        wait_s = reconnects.wait_s(RelayError("rate_limited", "slow down", 30.0), progress=False, lasted_s=0.0)
        assert wait_s == 30
        clock.now_s += wait_s
