"""Relays with any mix of odd habits, read to the end with everything that a session uses.

Nothing is called read that was not given, and what can be read is read with few questions.

`BIGBROTR_TEST_PAGES=2000000 make test-faults` reads so many simulated pages, from `BIGBROTR_TEST_SEED` on.
"""

from __future__ import annotations

import asyncio
import os
import random
import time

import pytest

from producers.connector.live import BACKDATED_S
from producers.relay_client.page import Seen
from schemas.nostr.filters import Filter
from tests.unit.producers.connector.simulated import SimulatedRelay
from tests.unit.producers.connector.simulated_peer import Peer
from tests.unit.producers.connector.simulated_reading import EVERYTHING, KEY, Read, Reader, random_peer, read
from tests.unit.producers.connector.virtual_time import run_virtually

pytestmark = pytest.mark.slow
BRIEF = 120
FEW_PAGES = 20_000
QUESTIONS, EACH = 40, 2


@pytest.mark.parametrize("seed", range(0, BRIEF, 10))
def test_nothing_is_called_read_that_was_not_given(seed: int) -> None:
    for each in range(seed, seed + 10):
        result = read(random_peer(each))
        assert not result.untrue, f"seed {each}: {result.peer.habits}"


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(1169, id="half late on short connections"),
        pytest.param(41009, id="half late on short connections, many events"),
        pytest.param(42970, id="half late on short connections, one subscription"),
        pytest.param(41463, id="cut below a bound that is exclusive"),
        pytest.param(42611, id="late and picked at random, two more than a page"),
        pytest.param(70593, id="half late on connections of 30 events or 3 s"),
        pytest.param(12124, id="doubts that end with the connection"),
        pytest.param(10420, id="the oldest of a page, some of them withheld"),
    ],
)
def test_relays_that_were_misjudged_once_are_not_again(seed: int) -> None:
    assert not read(random_peer(seed)).untrue


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_of_two_million_pages_none_is_called_read_that_was_not_given() -> None:
    most = int(os.environ.get("BIGBROTR_TEST_PAGES", FEW_PAGES))
    first = int(os.environ.get("BIGBROTR_TEST_SEED", "1000"))
    seed, pages = first, 0
    untrue: list[int] = []
    while pages < most:
        result = read(random_peer(seed))
        pages += result.peer.asked
        if result.untrue:
            untrue.append(seed)
        seed += 1
    assert not untrue, f"{len(untrue)} of {seed - first} relays: seeds {untrue[:20]}"


def plain(seed: int, **habits: object) -> Peer:
    """A relay of the usual order with one habit."""
    peer = random_peer(seed)
    peer.store.order, peer.store.withholds, peer.store.ignores_since = "newest_first", False, False
    peer.habits = type(peer.habits)(**habits)  # type: ignore[arg-type]
    return peer


def assert_read(result: Read, more: int = 0) -> None:
    assert result.finished
    assert not result.untrue
    assert not result.lacking
    asked = result.peer.asked - result.peer.refused
    assert asked <= QUESTIONS + more + EACH * result.pages, f"{asked} questions for {result.pages} pages"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "habits",
    [
        {},
        {"auth": "closed"},
        {"auth": "notice"},
        {"auth": "ok"},
        {"auth": "silence"},
        {"auth": "closed", "session_s": 25.0},
        {"bare": "closed"},
        {"bare": "notice"},
        {"cut_events": 124},
        {"cut_s": 20.0},
        {"limit": 50},
        {"limit": 50, "limit_words": "error: limit is too high"},
        {"ignores_limit": True},
        {"rate": (4, 10.0), "rate_words": "rate-limited: slow down, try again in 10 seconds", "rate_way": "notice"},
        {"rate": (10, 60.0), "rate_words": "rate-limited: at most 10 requests a minute"},
        {"rate": (20, 60.0), "rate_words": "rate-limited: you are noting too much"},
        {"subscriptions": 1, "subscriptions_way": "notice"},
        {"subscriptions": 1, "subscriptions_way": "closed"},
    ],
    ids=str,
)
def test_one_habit_costs_few_questions(seed: int, habits: dict[str, object]) -> None:
    assert_read(read(plain(seed, **habits)))


@pytest.mark.parametrize("days", [1, 30])
def test_a_relay_of_many_pages_is_read_with_few_questions(days: int) -> None:
    now_s, rng = int(time.time()), random.Random(days)
    seconds = [now_s - rng.randrange(days * 86_400) for _ in range(4_000)]
    events = [Seen(second, f"{number:064x}", 1, f"{number % 5:064x}") for number, second in enumerate(seconds)]
    assert_read(read(Peer(SimulatedRelay(events))))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("late_s", [0.3, 2.0, 6.0])
@pytest.mark.parametrize("heeds_close", [True, False])
def test_answers_that_come_late_are_waited_for(seed: int, late_s: float, heeds_close: bool) -> None:
    # What was asked before it was known is asked again.
    assert_read(read(plain(seed, late_s=late_s, heeds_close=heeds_close)), more=30)


def test_without_a_key_a_relay_that_wants_one_is_not_called_read() -> None:
    for way in ("closed", "notice", "ok", "silence"):
        result = read(plain(3, auth=way), None)
        assert not result.peer.given
        assert not result.untrue


@pytest.mark.parametrize("session_s", [None, 200.0])
def test_what_came_while_a_feed_was_closed_is_asked_for_soon(session_s: float | None) -> None:
    peer = plain(3, auth="closed", session_s=session_s)

    async def asked_later() -> int:
        reader = Reader(KEY)
        turn = asyncio.sleep(300.0)
        talking = asyncio.create_task(reader.converse(peer).talk({EVERYTHING: Filter()}, turn, backdated_s=BACKDATED_S))
        await reader.crawler.finished.wait()
        asked = peer.asked
        await talking
        return peer.asked - asked

    assert (run_virtually(asked_later()) > 0) == (session_s is not None)
