"""How many copies of a relay may be under way while the processor lags."""

from __future__ import annotations

import asyncio

from core.kafka import COMMIT_INTERVAL_S
from producers.connector.reading.pacing import AWAY_S, LAG_S, LEAST_ALLOWED, WINDOW_S, Pacing, Window

NOW_S = 1000.0
LATE_S = NOW_S + LAG_S + COMMIT_INTERVAL_S + 0.1


def send(pacing: Pacing, window: Window, copies: int, at_s: float, *offsets: int) -> None:
    """A relay sends copies, and bundles up to these offsets of the partitions are durable."""
    window.sent += copies
    for partition, offset in enumerate(offsets):
        pacing.acknowledged(partition, offset - 1)
    noted = pacing.note()
    assert noted is not None
    pacing.published(noted, at_s)


def test_nothing_is_limited_while_the_processor_keeps_up() -> None:
    pacing = Pacing()
    window = pacing.window()
    send(pacing, window, 100_000, NOW_S, 5)
    pacing.look({}, NOW_S + COMMIT_INTERVAL_S)
    assert (pacing.lag_s, window.full) == (0.0, False)
    pacing.look({0: 5}, LATE_S)
    assert (pacing.lag_s, window.full, window.validated) == (0.0, False, 100_000)


def test_while_it_lags_only_the_relay_with_too_much_under_way_rests() -> None:
    pacing = Pacing()
    greedy, modest = pacing.window(), pacing.window()
    modest.sent = LEAST_ALLOWED
    send(pacing, greedy, LEAST_ALLOWED + 1, NOW_S, 5, 7)
    pacing.look({0: 5, 1: 6}, LATE_S)
    assert pacing.lag_s > LAG_S
    assert (greedy.full, modest.full) == (True, False)
    # Copies of one record are in one partition, of one relay in all: they are done with when every partition is.
    pacing.look({0: 5, 1: 7}, LATE_S)
    assert (greedy.full, greedy.validated, modest.validated) == (False, LEAST_ALLOWED + 1, LEAST_ALLOWED)


def test_what_was_sent_after_a_snapshot_is_not_validated_with_it() -> None:
    pacing = Pacing()
    window = pacing.window()
    send(pacing, window, 3000, NOW_S, 5)
    send(pacing, window, 3000, NOW_S + 1, 9)
    pacing.look({0: 8}, NOW_S + 2.5)
    assert (window.validated, window.full) == (3000, True)
    pacing.look({0: 9}, NOW_S + 2.5)
    assert (window.validated, window.full) == (6000, False)


def test_the_allowance_is_a_share_of_what_the_processor_gets_through() -> None:
    pacing = Pacing()
    one, other = pacing.window(), pacing.window()
    for second in range(10):
        other.sent += 5000
        send(pacing, one, 5000, NOW_S + second, second + 1)
        pacing.look({0: second + 1}, NOW_S + second)
    assert 0.9 * 5000 * WINDOW_S <= pacing.allowance <= 5000 * WINDOW_S
    # One that sends nothing has no share.
    send(pacing, one, 10_000, NOW_S + 10, 11)
    pacing.look({0: 11}, NOW_S + 10)
    assert 0.9 * 10_000 * WINDOW_S <= pacing.allowance <= 10_000 * WINDOW_S


def test_a_processor_that_stands_still_for_long_holds_up_nothing() -> None:
    pacing = Pacing()
    window = pacing.window()
    pacing.look({0: 3}, NOW_S - 1000)
    pacing.look({0: 3}, NOW_S)
    send(pacing, window, LEAST_ALLOWED + 1, NOW_S, 5)
    pacing.look({0: 3}, NOW_S + AWAY_S - 1)
    # That it had nothing to do for long before does not count.
    assert (window.full, pacing.away) == (True, False)
    pacing.look({0: 3}, NOW_S + AWAY_S)
    assert (window.full, pacing.away) == (False, True)
    # It is back, and still behind.
    pacing.look({0: 4}, NOW_S + AWAY_S + 1)
    assert (window.full, pacing.away) == (True, False)


def test_a_group_that_never_committed_is_away_in_the_end() -> None:
    pacing = Pacing()
    window = pacing.window()
    pacing.look({}, NOW_S)
    send(pacing, window, LEAST_ALLOWED + 1, NOW_S, 5)
    pacing.look({}, LATE_S)
    assert window.full
    pacing.look({}, NOW_S + AWAY_S)
    assert not window.full


def test_snapshots_of_a_long_backlog_are_few_and_lose_no_relay() -> None:
    pacing = Pacing()
    windows = [pacing.window() for _ in range(1000)]
    for number, window in enumerate(windows):
        send(pacing, window, 1, NOW_S + number, number + 1)
    pacing.look({0: 0}, NOW_S + 1000)
    assert pacing.lag_s == 1000 - COMMIT_INTERVAL_S
    # What was sent lately is done with no earlier than it is, and no relay is forgotten.
    pacing.look({0: 500}, NOW_S + 1001)
    done = sum(window.validated for window in windows)
    assert 300 < done <= 500
    pacing.look({0: 1000}, NOW_S + 1002)
    assert all(window.validated == 1 for window in windows)
    assert not pacing.waiting


async def test_a_relay_that_rests_goes_on_when_enough_is_validated() -> None:
    pacing = Pacing()
    window = pacing.window()
    send(pacing, window, LEAST_ALLOWED + 1, NOW_S, 5)
    pacing.look({}, LATE_S)
    waiting = asyncio.create_task(window.room())
    await asyncio.sleep(0)
    pacing.look({0: 4}, LATE_S)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    pacing.look({0: 5}, LATE_S)
    await asyncio.wait_for(waiting, 5)
