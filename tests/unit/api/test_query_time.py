"""What clients owe is paid off steadily and evenly, and delays themselves alone."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.query_time import GRACE_S, QueryTime
from tests.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_who_owes_little_goes_on(clock: Clock) -> None:
    owed = QueryTime(0.5, 10, clock)
    assert owed.wait_s("a") == 0
    owed.charge("a", GRACE_S)
    assert owed.wait_s("a") == 0
    owed.charge("a", 1.0)
    assert owed.wait_s("a") == pytest.approx(2.0)
    assert owed.wait_s("b") == 0


def test_all_who_owe_pay_the_same_and_who_took_more_waits_until_all_is_paid(clock: Clock) -> None:
    owed = QueryTime(0.5, 10, clock)
    owed.charge("a", 1.0 + GRACE_S)
    owed.charge("b", 10.0 + GRACE_S)
    all_s = (11.0 + 2 * GRACE_S) / 0.5
    assert owed.wait_s("a") == pytest.approx(4.0)
    assert owed.wait_s("b") == pytest.approx(all_s)
    assert owed.wait_s("c") == 0
    clock.now_s += 4.1
    assert owed.is_within_share("a")
    assert not owed.is_within_share("b")
    assert owed.wait_s("b") == pytest.approx(all_s - 4.1)
    clock.now_s += all_s
    assert owed.is_within_share("b")


def test_one_who_took_more_need_not_wait_for_itself_where_few_others_do(clock: Clock) -> None:
    owed = QueryTime(0.5, 10, clock)
    for client in "abcdefgh":
        owed.charge(client, 2 * GRACE_S)
    assert owed.wait_s("a") == pytest.approx(8 * GRACE_S / 0.5)
    owed.charge("a", 8.0)
    assert owed.wait_s("a") == pytest.approx((16 * GRACE_S + 8.0) / 0.5)


def test_the_rate_may_change(clock: Clock) -> None:
    owed = QueryTime(0.5, 10, clock)
    owed.charge("a", 10.0 + GRACE_S)
    clock.now_s += 2.0
    owed.set_rate(3.0)
    assert owed.wait_s("a") == pytest.approx(3.0)
    clock.now_s += 1.0
    assert owed.wait_s("a") == pytest.approx(2.0)


def test_what_is_paid_is_forgotten_and_no_credit_is_saved(clock: Clock) -> None:
    owed = QueryTime(1.0, 10, clock)
    owed.charge("a", 1.0)
    clock.now_s += 1_000_000
    owed.charge("a", 1.0 + GRACE_S)
    assert owed.wait_s("a") == pytest.approx(1.0)


def test_of_too_many_those_who_owe_least_are_let_off(clock: Clock) -> None:
    owed = QueryTime(1.0, 2, clock)
    owed.charge("a", 5.0 + GRACE_S)
    owed.charge("b", 1.0 + GRACE_S)
    owed.charge("c", 9.0 + GRACE_S)
    assert owed.wait_s("b") == 0
    # What was let off, the others owe no longer either: shares stay even.
    assert owed.wait_s("a") == pytest.approx((4.0 - GRACE_S) * 2)
    assert owed.wait_s("c") == pytest.approx(4.0 + 8.0)


def test_what_is_kept_is_bounded_however_often_who_owes_is_charged(clock: Clock) -> None:
    """As by each query of others that begins or ends while one goes on."""
    owed = QueryTime(1.0, 10, clock)
    owed.charge("a", 1.0)
    owed.charge("b", 2.0)
    tracemalloc.start()
    for _ in range(10_000):
        owed.charge("b", 0.001)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 20_000
    assert owed.wait_s("a") == pytest.approx(2 * (1.0 - GRACE_S))
    assert owed.wait_s("b") == pytest.approx(13.0)


def test_who_owes_less_is_before_who_owes_more(clock: Clock) -> None:
    owed = QueryTime(1.0, 10, clock)
    owed.charge("a", 2.0)
    owed.charge("b", 1.0)
    assert owed.place("c") < owed.place("b") < owed.place("a")
    assert owed.place("a") == owed.due("a")


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.001, 5), st.floats(0, 20)), min_size=1, max_size=40),
    st.floats(0.05, 8),
)
def test_all_together_get_no_more_than_the_rate(acts: list[tuple[str, float, float]], rate: float) -> None:
    clock = Clock()
    owed, used = QueryTime(rate, 10, clock), 0.0
    began = clock.now_s
    for client, seconds, pause_s in acts:
        clock.now_s += pause_s
        clock.now_s += owed.wait_s(client) + 1e-6  # Of floats, as much as a turn of the event loop is late.
        owed.charge(client, seconds)
        used += seconds
    clock.now_s += max(owed.wait_s(client) for client in "abcd")
    # The last charges may still be owed up to the grace of each client.
    assert used <= (clock.now_s - began) * rate + 4 * GRACE_S + 1e-3
