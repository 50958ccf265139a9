"""A host is spoken to no faster than it bears, and as fast as that."""

from __future__ import annotations

import pytest

from producers.relay_client.pace import SLOWEST_S, Pace, Paces
from producers.relay_client.wording import Meaning, Said
from tests.clocks import Clock


async def send(pace: Pace, clock: Clock) -> float:
    """Send as soon as it may be; when that was."""
    clock.now_s += pace.wait_s
    await pace.turn()
    return clock.now_s


async def test_what_is_never_refused_is_never_slowed() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(1000):
        await send(pace, clock)
    assert clock.now_s == 1000.0


async def test_a_time_that_is_named_is_waited_for_and_nothing_more() -> None:
    clock = Clock()
    pace = Pace(clock)
    await send(pace, clock)
    pace.refused(Said(Meaning.RATE, wait_s=10))
    assert await send(pace, clock) == 1010.0
    assert await send(pace, clock) == 1010.0


async def test_a_rate_that_is_named_is_kept_from_the_first_refusal_on() -> None:
    clock = Clock()
    pace = Pace(clock)
    allowed: list[float] = []
    refusals = 0
    for _ in range(60):
        now_s = await send(pace, clock)
        if len([at for at in allowed if now_s - at < 60]) >= 10:
            pace.refused(Said(Meaning.RATE, rate=(10, 60)))
            refusals += 1
        else:
            allowed.append(now_s)
            pace.answered()
        clock.now_s += 0.01
    assert refusals <= 6
    # Eight in ten of what the relay would have allowed.
    assert len(allowed) >= 0.8 * (10 + (clock.now_s - 1000) / 6)


@pytest.mark.parametrize("per_minute", [2, 10, 50])
async def test_without_a_word_the_rate_is_found(per_minute: int) -> None:
    clock = Clock()
    pace = Pace(clock)
    allowed: list[float] = []
    refused = 0
    while clock.now_s < 1000 + 3600:
        now_s = await send(pace, clock)
        if len([at for at in allowed[-per_minute:] if now_s - at < 60]) >= per_minute:
            pace.refused(Said(Meaning.RATE))
            refused += 1
        else:
            allowed.append(now_s)
            pace.answered()
        clock.now_s += 0.01
    assert len(allowed) > 0.4 * 60 * per_minute
    # At two a minute every second try is one too many.
    assert refused < (0.6 if per_minute < 10 else 0.4) * len(allowed)


def test_no_refusal_without_a_word_costs_more_than_a_minute() -> None:
    pace = Pace(Clock())
    for _ in range(50):
        pace.refused(Said(Meaning.RATE))
    assert pace.wait_s <= SLOWEST_S
    pace.begin_at(1e9)
    assert pace.interval_s == SLOWEST_S


def test_all_urls_of_a_host_have_one_pace() -> None:
    paces = Paces()
    one = paces.of("relay.example")
    assert paces.of("relay.example") is one
    assert paces.of("other.example") is not one
