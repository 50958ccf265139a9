"""The planner reaches every event of any relay whose cap holds its densest second, and says what it could not reach."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.relays.crawl import (
    BEGINNING,
    DENSE_SECOND,
    FILTER_IGNORED,
    FOREVER,
    NO_EOSE,
    WITHHELD,
    Gap,
    Page,
    Planner,
    Query,
)
from producers.relays.habits import Habits
from schemas.ranges import subtract
from tests.unit.producers.simulated import Order, SimulatedRelay, Ties, crawl

EVERYTHING = [(BEGINNING, FOREVER)]


def events_at(*seconds: int) -> list[tuple[int, str]]:
    return [(second, f"{number:064x}") for number, second in enumerate(seconds)]


@st.composite
def relays_with_room(draw: st.DrawFn) -> SimulatedRelay:
    """Relays whose cap holds their densest second: everything can be read from them."""
    seconds = draw(st.lists(st.integers(0, 60), max_size=80))
    densest = max(Counter(seconds).values(), default=1)
    orders: list[Order] = ["newest_first", "newest_ascending", "newest_shuffled", "oldest_first"]
    ties: list[Ties] = ["by_id", "by_arrival", "random"]
    return SimulatedRelay(
        events_at(*seconds),
        cap=densest + draw(st.integers(0, 5)),
        order=draw(st.sampled_from(orders)),
        ties=draw(st.sampled_from(ties)),
        exclusive_until=draw(st.booleans()),
        hints=draw(st.booleans()),
        seed=draw(st.integers(0, 1000)),
    )


@settings(max_examples=400, deadline=None)
@given(relay=relays_with_room(), cuts=st.lists(st.integers(0, 60), max_size=3, unique=True))
def test_every_event_is_reached_whatever_the_order(relay: SimulatedRelay, cuts: list[int]) -> None:
    bounds = sorted(cuts)
    ranges = list(zip([BEGINNING, *[cut + 1 for cut in bounds]], [*bounds, FOREVER], strict=True))
    crawled = crawl(relay, ranges, Habits(limit=500, smallest_cap=1))
    assert crawled.ids == {event_id for _, event_id in relay.events}
    # What is neither read nor a gap would be lost silently.
    assert not subtract(EVERYTHING, [*crawled.read, *[(gap.since, gap.until) for gap in crawled.gaps]])


@settings(max_examples=300, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 12), max_size=60),
    cap=st.integers(1, 6),
    order=st.sampled_from(["newest_first", "newest_ascending", "oldest_first"]),
    exclusive=st.booleans(),
)
def test_what_a_cap_hides_is_a_gap_and_never_called_read(
    seconds: list[int], cap: int, order: Order, exclusive: bool
) -> None:
    relay = SimulatedRelay(events_at(*seconds), cap=cap, order=order, exclusive_until=exclusive)
    crawled = crawl(relay, EVERYTHING, Habits(limit=500, smallest_cap=1))
    missed = {second for second, event_id in relay.events if event_id not in crawled.ids}
    gaps = {gap.since for gap in crawled.gaps}
    assert missed <= gaps
    assert not any(low <= second <= high for second in missed for low, high in crawled.read)


def test_a_short_page_is_not_the_end() -> None:
    relay = SimulatedRelay(events_at(*range(100)), cap=7)
    assert len(crawl(relay, EVERYTHING).ids) == 100


def test_an_empty_page_ends_a_range() -> None:
    relay = SimulatedRelay([])
    crawled = crawl(relay, [(10, 20)])
    assert crawled.read == [(10, 20)]
    assert len(relay.queries) == 1


def test_the_hint_finish_saves_the_last_query() -> None:
    relay = SimulatedRelay(events_at(5, 6, 7), hints=True)
    assert crawl(relay, EVERYTHING).read == EVERYTHING
    assert len(relay.queries) == 1


def test_the_hint_more_with_nothing_is_a_gap() -> None:
    planner = Planner([(1, 9)], Habits(limit=10))
    assert planner.feed(Page([], hints=frozenset({"more"}))).gaps == [Gap(1, 9, WITHHELD)]


def test_no_query_is_repeated_without_something_new() -> None:
    relay = SimulatedRelay(events_at(*[50] * 40, *range(30)), cap=30)
    crawl(relay, EVERYTHING)
    assert len(relay.queries) == len(set(relay.queries))


def test_a_dense_second_is_a_gap_and_the_crawl_goes_on_below() -> None:
    relay = SimulatedRelay(events_at(*[50] * 40, 60, 7, 8), cap=30)
    crawled = crawl(relay, EVERYTHING)
    assert crawled.gaps == [Gap(50, 50, DENSE_SECOND)]
    assert {event_id for second, event_id in relay.events if second != 50} <= crawled.ids


def test_a_quiet_relay_with_one_second_has_no_gap() -> None:
    assert crawl(SimulatedRelay(events_at(5, 5, 5)), EVERYTHING).gaps == []


@pytest.mark.parametrize("exclusive", [True, False])
def test_how_until_is_meant_is_learnt_once(exclusive: bool) -> None:
    habits = Habits(limit=500)
    relay = SimulatedRelay(events_at(*[9] * 5, *[8] * 5, *[7] * 5), cap=5, exclusive_until=exclusive)
    crawled = crawl(relay, EVERYTHING, habits)
    assert habits.exclusive_until is exclusive
    assert len(crawled.ids) == 15


def test_the_top_second_of_an_exclusive_relay_is_read() -> None:
    relay = SimulatedRelay(events_at(20), exclusive_until=True)
    assert len(crawl(relay, [(10, 20)]).ids) == 1


def test_a_relay_that_ignores_until_leaves_a_gap() -> None:
    planner = Planner([(1, 9)], Habits(limit=10))
    assert planner.feed(Page([], misfits=10)).gaps == [Gap(1, 9, FILTER_IGNORED)]
    assert planner.query() is None


def test_silence_is_not_an_end() -> None:
    planner = Planner([(1, 9)], Habits(limit=10))
    progress = planner.feed(Page([], complete=False))
    assert progress.gaps == [Gap(1, 9, NO_EOSE)]
    assert progress.read == []


def test_a_page_that_broke_off_settles_what_lies_above_it() -> None:
    planner = Planner([(1, 99)], Habits(limit=10, newest_first=True))
    progress = planner.feed(Page(events_at(90, 80, 70), complete=False))
    assert progress.read == [(71, 99)]
    assert planner.position == 70


def test_only_what_a_relay_takes_is_sent() -> None:
    planner = Planner(EVERYTHING, Habits(limit=123))
    assert planner.query() == Query(None, None, 123)
    planner.feed(Page([(-5, "a" * 64), (2**70, "b" * 64)]))
    while (query := planner.query()) is not None:
        assert query.since is None or query.since >= 0
        assert query.until is None or 0 <= query.until < 2**63
        planner.feed(Page([]))


def test_skipping_leaves_a_gap_and_goes_on_below() -> None:
    planner = Planner([(10, 20)], Habits(limit=10))
    assert planner.skip(3, "frame_too_large").gaps == [Gap(18, 20, "frame_too_large")]
    assert planner.position == 17
    assert planner.skip(100, "frame_too_large").gaps == [Gap(10, 17, "frame_too_large")]
    assert planner.query() is None


def test_a_limit_is_lowered_to_what_the_relay_names() -> None:
    habits = Habits(limit=500)
    assert habits.lower_limit(300)
    assert habits.limit == 300
    assert not habits.lower_limit(4000)
    assert habits.lower_limit()
    assert habits.limit == 150
