"""The token bucket of each client, by a clock of the test's own."""

from __future__ import annotations

import pytest

from api.rates import Rates
from tests.clocks import Clock


def test_a_minutes_requests_may_be_made_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    rates = Rates(6, clients=10, clock=clock)
    assert [rates.take("a").left for _ in range(6)] == [5, 4, 3, 2, 1, 0]
    refused = rates.take("a")
    assert not refused.is_granted
    assert refused.wait_s == pytest.approx(10)
    assert refused.full_s == pytest.approx(60)
    clock.now_s += 9.9
    assert not rates.take("a").is_granted
    clock.now_s += 0.2
    assert rates.take("a").is_granted
    assert not rates.take("a").is_granted


def test_what_is_refused_is_not_charged() -> None:
    clock = Clock()
    rates = Rates(1, clients=10, clock=clock)
    rates.take("a")
    for _ in range(100):
        assert not rates.take("a").is_granted
    clock.now_s += 60
    assert rates.take("a").is_granted


def test_an_idle_bucket_is_full_and_no_fuller() -> None:
    clock = Clock()
    rates = Rates(6, clients=10, clock=clock)
    rates.take("a")
    clock.now_s += 86_400
    assert rates.take("a").left == 5


def test_each_client_has_a_bucket_of_its_own() -> None:
    rates = Rates(1, clients=10, clock=Clock())
    assert rates.take("a").is_granted
    assert rates.take("b").is_granted
    assert not rates.take("a").is_granted


def test_the_least_recent_client_is_forgotten() -> None:
    rates = Rates(1, clients=2, clock=Clock())
    for client in ("a", "b", "a", "c"):
        rates.take(client)
    assert not rates.take("a").is_granted
    assert rates.take("b").is_granted


@pytest.mark.parametrize("per_minute", [1, 7, 59, 600, 100_000])
def test_rounding_takes_no_request_away(per_minute: int) -> None:
    rates = Rates(per_minute, clients=1, clock=Clock())
    assert sum(rates.take("a").is_granted for _ in range(per_minute + 5)) == per_minute
