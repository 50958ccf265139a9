"""How many copies of a relay may be under way while the processor lags."""

from __future__ import annotations

import asyncio

import pytest

from core.kafka import COMMIT_INTERVAL_S
from producers.connector.reading.pacing import AWAY_S, LAG_S, LEAST_OF_RELAY, LEAST_UNDER_WAY, WINDOW_S, Pacing, Window

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
    modest.sent = LEAST_UNDER_WAY // 2
    send(pacing, greedy, LEAST_UNDER_WAY + 1, NOW_S, 5, 7)
    pacing.look({0: 5, 1: 6}, LATE_S)
    assert pacing.lag_s > LAG_S
    assert (greedy.full, modest.full) == (True, False)
    # Copies of one record are in one partition, of one relay in all: they are done with when every partition is.
    pacing.look({0: 5, 1: 7}, LATE_S)
    assert (greedy.full, greedy.validated, modest.validated) == (False, LEAST_UNDER_WAY + 1, LEAST_UNDER_WAY // 2)


def test_what_was_sent_after_a_snapshot_is_not_validated_with_it() -> None:
    pacing = Pacing()
    window = pacing.window()
    send(pacing, window, 3000, NOW_S, 5)
    send(pacing, window, 3000, NOW_S + 1, 9)
    pacing.look({0: 8}, NOW_S + 2.5)
    assert (window.validated, window.full) == (3000, True)
    pacing.look({0: 9}, NOW_S + 2.5)
    assert (window.validated, window.full) == (6000, False)


def test_what_may_be_under_way_is_shared_and_what_one_does_not_need_the_others_get() -> None:
    pacing = Pacing()
    one, other, small = (pacing.window() for _ in range(3))
    for second in range(10):
        send(pacing, one, 10_000, NOW_S + second, second + 1)
        pacing.look({0: second + 1}, NOW_S + second)
    room = int(10_000 * WINDOW_S)
    small.sent, other.sent = 500, room
    send(pacing, one, room, NOW_S + 10, 11)
    pacing.look({0: 10}, NOW_S + 12)
    assert pacing.limiting
    assert pacing.allowance == (room - 500) // 2
    assert (one.full, other.full, small.full) == (True, True, False)


@pytest.mark.parametrize("priority", [1, 500])
def test_each_lane_has_its_share_of_what_may_be_under_way(priority: int) -> None:
    """A priority relay among many regular ones, and the reverse, of 20,000 copies in all."""
    pacing = Pacing(priority_share=0.25)
    many = [pacing.window(priority=number < priority) for number in range(501)]
    for second in range(10):
        send(pacing, many[0], 10_000, NOW_S + second, second + 1)
        pacing.look({0: second + 1}, NOW_S + second)
    for window in many:
        window.sent += 20_000
    send(pacing, many[0], 1, NOW_S + 10, 11)
    pacing.look({0: 10}, NOW_S + 12)
    room = int(10_000 * WINDOW_S)
    lone = pacing.priority_allowance if priority == 1 else pacing.allowance
    assert lone == room // 4 * (1 if priority == 1 else 3)
    assert all(window.full for window in many)


def test_a_lane_has_what_the_other_does_not_need_of_what_may_be_under_way() -> None:
    pacing = Pacing(priority_share=0.25)
    regular, priority = pacing.window(), pacing.window(priority=True)
    for second in range(10):
        send(pacing, regular, 10_000, NOW_S + second, second + 1)
        pacing.look({0: second + 1}, NOW_S + second)
    regular.sent += 500
    send(pacing, priority, 30_000, NOW_S + 10, 11)
    pacing.look({0: 10}, NOW_S + 12)
    assert pacing.priority_allowance == int(10_000 * WINDOW_S) - 500
    assert (priority.full, regular.full) == (True, False)


def test_behind_a_backlog_of_before_live_feeds_go_on() -> None:
    """What the processor gets through cannot be seen: nothing that this process has sent is done with."""
    pacing = Pacing()
    windows = [pacing.window() for _ in range(200)]
    for window in windows[1:]:
        window.sent = LEAST_UNDER_WAY // 2
    send(pacing, windows[0], LEAST_UNDER_WAY + 1, NOW_S, 1000)
    for second in range(60):
        pacing.look({0: second}, LATE_S + second)
    assert [window.full for window in windows] == [True, *[False] * 199]


def test_where_many_send_each_may_have_a_little_all_the_same() -> None:
    pacing = Pacing()
    windows = [pacing.window() for _ in range(1000)]
    send(pacing, windows[0], 10, NOW_S - 1, 4)
    pacing.look({}, NOW_S - 1)
    pacing.look({0: 4}, NOW_S)
    for window in windows[1:]:
        window.sent = LEAST_OF_RELAY + 1
    send(pacing, windows[0], LEAST_OF_RELAY, NOW_S, 5)
    pacing.look({0: 4}, LATE_S)
    assert pacing.allowance == LEAST_OF_RELAY
    assert (windows[0].full, windows[1].full) == (False, True)


def test_a_processor_that_stands_still_for_long_holds_up_nothing() -> None:
    pacing = Pacing()
    window = pacing.window()
    pacing.look({0: 3}, NOW_S - 1000)
    pacing.look({0: 3}, NOW_S)
    send(pacing, window, LEAST_UNDER_WAY + 1, NOW_S, 5)
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
    send(pacing, window, LEAST_UNDER_WAY + 1, NOW_S, 5)
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
    send(pacing, window, LEAST_UNDER_WAY + 1, NOW_S, 5)
    pacing.look({}, LATE_S)
    waiting = asyncio.create_task(window.room())
    await asyncio.sleep(0)
    pacing.look({0: 4}, LATE_S)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    pacing.look({0: 5}, LATE_S)
    await asyncio.wait_for(waiting, 5)


class Flow:
    """Relays that send as fast as they are read, and a processor that takes their copies in order; steps of 50 ms."""

    STEP_S = 0.05
    STEPS_TO_LOOK = 10

    def __init__(self, rate: int, **relays: int) -> None:
        """Rates are copies a second."""
        self.pacing = Pacing()
        self.rate = rate
        self.relays = relays
        self.windows = {name: self.pacing.window() for name in relays}
        self.paused = dict.fromkeys(relays, 0)
        self.queued = self.done = self.committed = 0
        self.idle_steps = 0
        self.queues_s: list[float] = []

    def run(self, seconds: int) -> None:
        """Let it flow; a commit follows a look, so that a look finds what was done two looks ago."""
        for step in range(int(seconds / self.STEP_S)):
            now_s = NOW_S + step * self.STEP_S
            for name, window in self.windows.items():
                if window.full:
                    self.paused[name] += 1
                else:
                    window.sent += int(self.relays[name] * self.STEP_S)
            self.queued = sum(window.sent for window in self.windows.values())
            able = int(self.rate * self.STEP_S)
            self.idle_steps += self.queued - self.done < able
            self.done += min(able, self.queued - self.done)
            self.queues_s.append((self.queued - self.done) / self.rate)
            if step % self.STEPS_TO_LOOK == 0:
                self.pacing.look({0: self.committed}, now_s)
                self.committed = self.done
                self.pacing.acknowledged(0, self.queued - 1)
                if (noted := self.pacing.note()) is not None:
                    self.pacing.published(noted, now_s)


@pytest.mark.parametrize(
    ("rate", "relays"),
    [
        (12_000, {"a": 6000, "b": 6000, "c": 6000, "d": 6000}),
        (12_000, {"a": 3100, "b": 3100, "c": 3100, "d": 3100}),
        (12_000, {"flood": 40_000, "live": 10}),
        (12_000, {"crawled": 25_000} | {f"live {number}": 10 for number in range(200)}),
        (500, {"a": 6000, "b": 6000}),
    ],
    ids=["first fill", "hardly more than it bears", "flood", "one beside many", "slow"],
)
def test_pauses_never_make_the_processor_idle_and_keep_its_queue_short(rate: int, relays: dict[str, int]) -> None:
    flow = Flow(rate, **relays)
    flow.run(300)
    assert flow.idle_steps == 0
    # Before it is known that the processor lags nothing is limited; that surge is over.
    assert max(flow.queues_s[len(flow.queues_s) // 2 :]) < 2 * WINDOW_S + 3 * LEAST_UNDER_WAY / rate
    most = max(relays.values())
    sent = [flow.windows[name].sent for name, of_relay in relays.items() if of_relay == most]
    assert max(sent) - min(sent) < rate


def test_a_relay_within_its_share_is_not_held_up_by_one_that_floods() -> None:
    flow = Flow(12_000, flood=40_000, honest=1000)
    flow.run(120)
    # But for the surge, before it was known that the processor lags.
    assert flow.paused["honest"] < 1 / flow.STEP_S
    assert flow.paused["flood"] > 60 / flow.STEP_S
