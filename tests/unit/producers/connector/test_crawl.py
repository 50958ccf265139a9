"""The planner reaches every event of any relay whose cap holds its densest second, and says what it could not reach."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.connector.coverage.progress import Gap, Progress
from producers.connector.crawl.planning.planner import Planner
from producers.connector.crawl.planning.steps import Difference, Query
from producers.connector.known_filters import WITHHELD_KINDS, KnownFilters
from producers.connector.relay_behavior import ORDER_BITS, RelayBehavior, Thresholds
from producers.relay_client.page import BEGINNING, FOREVER, Page, Seen
from schemas.nostr.filters import Filter
from schemas.ranges import contains, subtract
from schemas.records.coverage import GapReason
from tests.unit.producers.connector.simulated import AUTHOR, Order, SimulatedRelay, Ties, crawl, events_at

EVERYTHING = [(BEGINNING, FOREVER)]
ORDERS: list[Order] = [
    "newest_first",
    "newest_ascending",
    "newest_shuffled",
    "oldest_first",
    "oldest_descending",
    "any",
]
TIES: list[Ties] = ["by_id", "by_arrival", "random"]


@st.composite
def stored(draw: st.DrawFn, last: int = 60, size: int = 80) -> list[Seen]:
    """Events of a few kinds and authors, some in the same second."""
    places = draw(st.lists(st.tuples(st.integers(0, last), st.sampled_from([1, 7, 4, 1059, 31_999])), max_size=size))
    return [Seen(second, f"{number:064x}", kind, f"{number % 3:064x}") for number, (second, kind) in enumerate(places)]


@st.composite
def relays(draw: st.DrawFn) -> SimulatedRelay:
    """Relays of every order that misbehave in none or several ways, with room for their densest second."""
    events = draw(stored())
    densest = max(Counter(seen.at for seen in events).values(), default=1)
    return SimulatedRelay(
        events,
        cap=densest + draw(st.integers(1, 5)),
        order=draw(st.sampled_from(ORDERS)),
        ties=draw(st.sampled_from(TIES)),
        exclusive_until=draw(st.booleans()),
        hints=draw(st.booleans()),
        seed=draw(st.integers(0, 1000)),
    )


def habits_for(relay: SimulatedRelay) -> RelayBehavior:
    """No relay has a cap as small as these, so what is taken for dense, or for an order, is smaller too."""
    bits = ORDER_BITS if relay.order == "any" else 1
    return RelayBehavior(limit=500, thresholds=Thresholds(smallest_cap=relay.cap, order_bits=bits))


@pytest.mark.slow
@settings(max_examples=400)
@given(relay=relays(), cuts=st.lists(st.integers(0, 60), max_size=3, unique=True))
def test_every_event_is_reached_whatever_the_order(relay: SimulatedRelay, cuts: list[int]) -> None:
    bounds = sorted(cuts)
    ranges = list(zip([BEGINNING, *[cut + 1 for cut in bounds]], [*bounds, FOREVER], strict=True))
    crawled = crawl(relay, ranges, habits_for(relay))
    assert crawled.ids == {seen.id for seen in relay.events}
    assert crawled.gaps == []
    assert crawled.read == EVERYTHING


@pytest.mark.slow
@settings(max_examples=60)
@given(
    events=stored(12, 60),
    cap=st.integers(2, 6),
    order=st.sampled_from(ORDERS),
    ties=st.sampled_from(TIES),
    exclusive=st.booleans(),
)
def test_what_a_cap_hides_is_a_gap_and_never_called_read(
    events: list[Seen], cap: int, order: Order, ties: Ties, exclusive: bool
) -> None:
    relay = SimulatedRelay(events, cap=cap, order=order, ties=ties, exclusive_until=exclusive)
    behavior = RelayBehavior(limit=500, thresholds=Thresholds(smallest_cap=1))
    known_filters = KnownFilters().of("relay.example")
    crawled = crawl(relay, EVERYTHING, behavior, known_filters=known_filters)
    missed = {seen.at for seen in events if seen.id not in crawled.ids}
    assert not any(contains(crawled.read, second) for second in missed)
    # What is neither read nor a gap would be lost silently.
    assert not subtract(EVERYTHING, [*crawled.read, *crawled.open])
    # When the gaps are tried again, every question that known kinds and authors allow is asked.
    ids = crawled.ids | crawl(relay, crawled.open, behavior, known_filters=known_filters).ids
    authors = {seen.author for seen in events if seen.id in crawled.ids}
    alone = Counter((seen.at, seen.kind, seen.author) for seen in events)
    assert {
        seen.id for seen in events if seen.author in authors and alone[seen.at, seen.kind, seen.author] < cap
    } <= ids


def misbehaving(seed: int, orders: list[Order]) -> SimulatedRelay:
    """A relay of one of these orders with usual caps, above its densest second, and several behavior that mislead."""
    rng = random.Random(seed)
    last = rng.choice([30, 60, 400, 100_000])
    events = [
        Seen(rng.randint(0, last), f"{number:064x}", rng.choice([1, 7, 4, 1059, 3]), f"{number % 3:064x}")
        for number in range(rng.randint(0, 300))
    ]
    densest = max(Counter(seen.at for seen in events).values(), default=1)
    return SimulatedRelay(
        events,
        cap=max(20, densest + 1) + rng.randint(0, 40),
        order=rng.choice(orders),
        ties=rng.choice(TIES),
        exclusive_until=rng.random() < 0.3,
        hints=rng.random() < 0.2,
        ignores_since=rng.random() < 0.3,
        breaks=rng.choice([0, 0.05, 0.3]),
        seed=seed,
    )


def assert_nothing_missed_is_called_read(relay: SimulatedRelay) -> None:
    crawled = crawl(relay, EVERYTHING)
    missed = {seen.at for seen in relay.events if seen.id not in crawled.ids}
    assert not {second for second in missed if contains(crawled.read, second)}, relay.seed
    assert not subtract(EVERYTHING, [*crawled.read, *crawled.open]), relay.seed


@pytest.mark.slow
@pytest.mark.parametrize("order", [*ORDERS, "any_sorted"])
def test_an_answer_that_misleads_or_breaks_off_ends_nothing(order: Order) -> None:
    for seed in range(25):
        assert_nothing_missed_is_called_read(misbehaving(seed, [order]))


@pytest.mark.slow
def test_a_relay_whose_pages_are_of_any_size_is_read_to_the_end() -> None:
    """Also events of kinds that no question names, below a page that was short by chance."""
    for seed in range(60):
        relay = misbehaving(seed, ["newest_first"])
        relay.smallest_page = max(20, max(Counter(seen.at for seen in relay.events).values(), default=1) + 1)
        assert_nothing_missed_is_called_read(relay)


def test_an_event_that_comes_while_the_order_is_tried_costs_one_window_of_trust() -> None:
    relay = SimulatedRelay(events_at(*range(0, 40_000, 100)), cap=100)
    behavior = RelayBehavior(limit=500)
    planner = Planner([(BEGINNING, 100_000)], behavior)
    for _ in range(2):
        query = planner.step()
        assert isinstance(query, Query)
        planner.feed(relay.answer(query))
        relay.events.append(Seen(39_950, "f" * 64, 1, AUTHOR))
    assert not behavior.unsorted


@pytest.mark.slow
@settings(max_examples=150)
@given(
    events=stored(60, 80),
    cap=st.integers(10, 20),
    order=st.sampled_from(["newest_first", "newest_ascending", "oldest_first"]),
)
def test_events_below_those_that_a_relay_withholds_are_reached(events: list[Seen], cap: int, order: Order) -> None:
    relay = SimulatedRelay(events, cap=cap, order=order, withholds=True)
    densest = max(Counter(seen.at for seen in events).values(), default=0)
    crawled = crawl(relay, EVERYTHING, RelayBehavior(limit=500, thresholds=Thresholds(cap, order_bits=1)))
    # Kind 31999 is not a known kind: those of it alone may hide below withheld ones.
    known = {seen.id for seen in events if seen.kind in (1, 7)}
    assert densest >= cap or known <= crawled.ids
    assert not subtract(EVERYTHING, [*crawled.read, *crawled.open])


def by(second: int, kind: int, authors: int, each: int) -> list[Seen]:
    return [
        Seen(second, f"{second:016x}{kind:016x}{author:016x}{number:016x}", kind, f"{author:064x}")
        for author in range(authors)
        for number in range(each)
    ]


def test_a_short_page_is_not_the_end() -> None:
    relay = SimulatedRelay(events_at(*range(100)), cap=7)
    assert len(crawl(relay, EVERYTHING).ids) == 100


def test_an_empty_page_ends_a_range_when_known_kinds_show_nothing_either() -> None:
    relay = SimulatedRelay([])
    assert crawl(relay, [(10, 20)]).read == [(10, 20)]
    first, second = relay.queries
    assert first.kinds is None
    assert {0, 1, 3, 7, 30_023} <= set(second.kinds or ())
    assert not set(second.kinds or ()) & set(WITHHELD_KINDS)


def test_a_filter_of_kinds_that_are_not_withheld_needs_no_second_question() -> None:
    relay = SimulatedRelay([])
    assert crawl(relay, [(10, 20)], base=Filter(kinds=(0, 3))).read == [(10, 20)]
    assert len(relay.queries) == 1


def test_a_quiet_relay_is_asked_little() -> None:
    now_s = 1_790_000_000
    relay = SimulatedRelay(events_at(now_s - 5, now_s - 100_000, now_s - 90_000_000))
    crawled = crawl(relay, [(BEGINNING, now_s), (now_s, FOREVER)])
    assert len(crawled.ids) == 3
    assert crawled.gaps == []
    assert len(relay.queries) < 60
    relay.queries.clear()
    behavior = RelayBehavior(limit=500, window_s=1 << 25)
    crawl(relay, [(now_s - 3 * 86_400, now_s), (now_s, FOREVER)], behavior)
    assert len(relay.queries) <= 20


@pytest.mark.slow
def test_a_busy_relay_costs_little_more_than_its_pages() -> None:
    now_s = 1_790_000_000
    relay = SimulatedRelay(events_at(*range(now_s - 600_000, now_s, 30)), cap=100)
    crawled = crawl(relay, [(now_s - 600_000, now_s)])
    assert len(crawled.ids) == 20_000
    assert len(relay.queries) < 1.3 * 20_000 / 100


def test_the_hint_finish_saves_the_last_query() -> None:
    relay = SimulatedRelay(events_at(5, 6, 7), hints=True)
    assert crawl(relay, EVERYTHING).read == EVERYTHING
    assert len(relay.queries) == 1


def test_the_hint_more_with_nothing_is_a_gap() -> None:
    planner = Planner([(1, 9)], RelayBehavior(limit=10))
    planner.step()
    assert planner.feed(Page([], hints=frozenset({"more"}))).gaps == [Gap(1, 9, GapReason.WITHHELD)]


def test_pages_full_of_what_is_withheld_hide_nothing() -> None:
    wraps = [Seen(1000 - number, f"{number:064x}", 1059, AUTHOR) for number in range(400)]
    notes = events_at(*range(300, 330), *range(1000, 1010))
    relay = SimulatedRelay([*wraps, *notes], cap=50, withholds=True)
    crawled = crawl(relay, EVERYTHING)
    assert crawled.ids == {seen.id for seen in notes}
    assert crawled.gaps == []


def test_a_burst_is_read_by_kind_and_by_author_down_to_unknown_kinds() -> None:
    burst = [*by(50, 1, 100, 20), *by(50, 7, 30, 30), *by(50, 54_321, 1, 40), *by(50, 4, 1, 30), *by(50, 1059, 3, 10)]
    rest = by(60, 1, 100, 1)
    relay = SimulatedRelay([*burst, *rest, *events_at(7, 8)], cap=50)
    known_filters = KnownFilters().of("relay.example")
    known_filters.learn(rest)
    crawled = crawl(relay, EVERYTHING, known_filters=known_filters)
    assert crawled.ids == {seen.id for seen in relay.events}
    # Who else wrote kind 1 and 7 in these seconds cannot be known.
    assert crawled.gaps == [Gap(second, second, GapReason.DENSE_SECOND) for second in (60, 50)]


def test_a_burst_of_kinds_that_each_fit_a_page_is_no_gap() -> None:
    burst = [seen for kind in range(40_000, 40_070) for seen in by(50, kind, 1, 45)]
    relay = SimulatedRelay([*burst, *events_at(7, 8)], cap=50)
    crawled = crawl(relay, EVERYTHING)
    assert crawled.ids == {seen.id for seen in relay.events}
    assert crawled.gaps == []


def test_a_relay_that_cannot_read_long_lists_proves_nothing_by_silence() -> None:
    burst = [*by(50, 1, 1, 30), *by(50, 7, 1, 30), *by(50, 54_321, 1, 10)]
    relay = SimulatedRelay([*burst, *events_at(7, 8)], cap=50, most_kinds=100)
    crawled = crawl(relay, EVERYTHING)
    assert crawled.gaps == [Gap(50, 50, GapReason.DENSE_SECOND)]


def test_authors_that_the_filter_names_are_all_that_there_are() -> None:
    authors = [f"{author:064x}" for author in range(40)]
    relay = SimulatedRelay(by(50, 1, 40, 20), cap=50)
    crawled = crawl(relay, EVERYTHING, base=Filter(authors=tuple(authors), kinds=(1,)))
    assert len(crawled.ids) == 800
    assert crawled.gaps == []


@pytest.mark.slow
def test_a_relay_of_dense_seconds_only_is_not_asked_without_end() -> None:
    class Endless(SimulatedRelay):
        def answer(self, query: Query) -> Page:
            """A full page of one second, whatever is asked, never the same twice."""
            self.queries.append(query)
            number = len(self.queries)
            at = min(query.until if query.until is not None else 1_790_000_000, 1_790_000_000)
            return Page([Seen(at, f"{number:032x}{each:032x}", 1, f"{each:064x}") for each in range(50)])

    relay = Endless([])
    crawled = crawl(relay, [(BEGINNING, 1_790_000_000)], most_queries=20_000)
    assert len(relay.queries) < 12_000
    assert not subtract([(BEGINNING, 1_790_000_000)], [*crawled.read, *crawled.open])
    assert contains(crawled.open, 1_780_000_000)


def test_what_is_not_shown_again_is_a_disagreement() -> None:
    events = events_at(*range(100))
    # The oldest of each page must come again at the top of the next.
    relay = SimulatedRelay(events, cap=20, forgets=frozenset({events[60].id, events[61].id}))
    crawled = crawl(relay, EVERYTHING)
    assert crawled.ids == {seen.id for seen in events}
    assert {gap.reason for gap in crawled.gaps} <= {GapReason.DISAGREEMENT}
    assert contains(crawled.read, 20)


def test_a_relay_that_picks_at_random_and_sorts_is_found_out() -> None:
    relay = SimulatedRelay(events_at(*range(500)), cap=50, order="any_sorted", seed=5)
    crawled = crawl(relay, EVERYTHING)
    assert crawled.ids == {seen.id for seen in relay.events}
    assert not subtract(EVERYTHING, [*crawled.read, *crawled.open])


@pytest.mark.slow
@pytest.mark.parametrize("ignores_since", [False, True])
@pytest.mark.parametrize("more", [1, 2, 5])
def test_a_page_that_lacks_few_is_found_out_too(more: int, ignores_since: bool) -> None:
    for seed in range(40):
        events = events_at(*range(0, 10 * (50 + more), 10))
        relay = SimulatedRelay(events, cap=50, order="any_sorted", ignores_since=ignores_since, seed=seed)
        crawled = crawl(relay, EVERYTHING)
        missing = {seen.id for seen in events if not contains(crawled.open, seen.at)} - crawled.ids
        assert not missing, f"seed {seed}"


def test_a_relay_that_ignores_since_is_read_without() -> None:
    relay = SimulatedRelay(events_at(*range(0, 3000, 3)), cap=50, ignores_since=True)
    crawled = crawl(relay, [(1000, 1999), (2000, 2500)])
    assert {seen.id for seen in relay.events if 1000 <= seen.at <= 2500} <= crawled.ids
    assert crawled.gaps == []
    assert len(relay.queries) < 30


def test_a_relay_without_eose_is_read_and_everything_unproven_is_a_gap() -> None:
    relay = SimulatedRelay(events_at(*range(300)), cap=50, eose=False)
    crawled = crawl(relay, EVERYTHING)
    assert crawled.ids == {seen.id for seen in relay.events}
    assert {gap.reason for gap in crawled.gaps} == {GapReason.NO_EOSE}
    assert contains(crawled.open, 0)


@pytest.mark.slow
@pytest.mark.parametrize("span_s", [3600, 28 * 86_400, 4 * 365 * 86_400])
def test_a_relay_that_sends_the_newest_first_sends_few_events_again(span_s: int) -> None:
    # Where windows begin depends on the moment.
    for seed in range(8):
        rng = random.Random(seed)
        now_s = 1_760_000_000 + rng.randrange(1 << 27)
        relay = SimulatedRelay(events_at(*[now_s - rng.randrange(span_s) for _ in range(4000)]), seed=seed)
        crawled = crawl(relay, [(BEGINNING, now_s)])
        assert crawled.ids == {seen.id for seen in relay.events}
        assert crawled.gaps == []
        assert relay.given <= 1.3 * len(relay.events), seed


def test_no_query_is_repeated_without_something_new() -> None:
    relay = SimulatedRelay(events_at(*[50] * 40, *range(30)), cap=30)
    crawl(relay, EVERYTHING)
    repeated = Counter(relay.queries)
    assert max(repeated.values()) <= 2


def test_a_quiet_relay_with_one_second_has_no_gap() -> None:
    assert crawl(SimulatedRelay(events_at(5, 5, 5)), EVERYTHING).gaps == []


@pytest.mark.parametrize("exclusive", [True, False])
def test_how_until_is_meant_is_learnt_once(exclusive: bool) -> None:
    behavior = RelayBehavior(limit=500)
    relay = SimulatedRelay(events_at(*range(200)), cap=25, exclusive_until=exclusive)
    crawled = crawl(relay, EVERYTHING, behavior)
    assert behavior.exclusive_until is exclusive
    assert len(crawled.ids) == 200


def test_the_top_second_of_an_exclusive_relay_is_read() -> None:
    relay = SimulatedRelay(events_at(20), exclusive_until=True)
    assert len(crawl(relay, [(10, 20)]).ids) == 1


def test_a_relay_that_ignores_until_leaves_a_gap() -> None:
    planner = Planner([(1, 9)], RelayBehavior(limit=10))
    planner.step()
    assert planner.feed(Page([], misfits=10)).gaps == [Gap(1, 9, GapReason.FILTER_IGNORED)]
    assert planner.step() is None


def test_silence_is_not_an_end() -> None:
    planner = Planner([(1, 9)], RelayBehavior(limit=10))
    planner.step()
    progress = planner.feed(Page([], GapReason.NO_EOSE))
    assert progress.gaps == [Gap(1, 9, GapReason.NO_EOSE)]
    assert progress.read == []


def test_a_page_that_broke_off_settles_what_lies_above_it() -> None:
    planner = Planner([(1, 99)], RelayBehavior(limit=10, order_bits=ORDER_BITS, proof_bits=ORDER_BITS))
    planner.step()
    progress = planner.feed(Page(events_at(90, 80, 70), GapReason.CLOSED))
    assert progress.read == [(71, 99)]
    assert planner.position == 70


def test_a_second_that_floods_is_taken_apart() -> None:
    second = 1_700_000_000
    planner = Planner([(second, second)], RelayBehavior(limit=10))
    assert planner.step() == Query(second, second + 1, 10)
    flood = Page(events_at(*[second] * 500), cut=GapReason.CLOSED)
    assert planner.flooded(flood) == Progress()
    asked = planner.step()
    assert isinstance(asked, Query)
    assert asked.kinds is not None
    assert planner.position == second


def test_a_refused_question_aside_costs_only_what_depends_on_it() -> None:
    planner = Planner([(1, 99)], RelayBehavior(limit=10))
    planner.step()
    planner.feed(Page([]))
    asked = planner.step()
    assert isinstance(asked, Query)
    assert asked.kinds is not None
    # Fewer kinds are tried first.
    assert planner.refused(GapReason.CLOSED).gaps == []
    fewer = planner.step()
    assert isinstance(fewer, Query)
    assert len(fewer.kinds or ()) == 10
    assert planner.refused(GapReason.CLOSED).gaps == [Gap(1, 99, GapReason.CLOSED)]
    assert planner.step() is None


def test_a_rate_limit_ends_the_crawl() -> None:
    planner = Planner([(1, 9), (20, 30)], RelayBehavior(limit=10))
    planner.step()
    assert planner.refused(GapReason.RATE_LIMITED).gaps == [
        Gap(1, 9, GapReason.RATE_LIMITED),
        Gap(20, 30, GapReason.RATE_LIMITED),
    ]


def test_a_comparison_settles_a_window_and_a_refused_one_is_paged() -> None:
    now_s = 1_790_000_000
    possible = True
    planner = Planner([(now_s - 999, now_s)], RelayBehavior(limit=10), compares=lambda: possible)
    assert planner.step() == Difference(now_s - 999, now_s)
    assert planner.compared(whole=True).read == [(now_s - 999, now_s)]
    assert planner.step() is None
    planner = Planner([(now_s - 999, now_s)], RelayBehavior(limit=10), compares=lambda: possible)
    planner.step()
    assert planner.compared(whole=False).read == []
    assert isinstance(planner.step(), Query)


def test_a_window_with_too_much_to_compare_is_divided() -> None:
    planner = Planner(
        [(1_650_000_000, 1_690_000_000)], RelayBehavior(limit=10, window_s=1 << 24), compares=lambda: True
    )
    first = planner.step()
    assert isinstance(first, Difference)
    planner.compared(whole=False, too_many=True)
    second = planner.step()
    assert isinstance(second, Difference)
    assert second.until == first.until
    assert second.until - second.since <= (first.until - first.since) // 2


def test_only_what_a_relay_takes_is_sent() -> None:
    planner = Planner(EVERYTHING, RelayBehavior(limit=123))
    assert planner.step() == Query(None, None, 123)
    planner.feed(Page([Seen(BEGINNING, "a" * 64, -3, "?"), Seen(FOREVER, "b" * 64, 2**70, AUTHOR.upper())]))
    while (query := planner.step()) is not None:
        assert isinstance(query, Query)
        assert query.since is None or query.since >= 0
        assert query.until is None or 0 <= query.until < 2**63
        assert all(0 <= kind < 65_536 for kind in query.kinds or ())
        planner.feed(Page([]))


def test_skipping_leaves_a_gap_and_goes_on_below() -> None:
    planner = Planner([(10, 20)], RelayBehavior(limit=10))
    planner.step()
    assert planner.skip(3, GapReason.FRAME_TOO_LARGE).gaps == [Gap(18, 20, GapReason.FRAME_TOO_LARGE)]
    assert planner.position == 17
    assert planner.skip(100, GapReason.FRAME_TOO_LARGE).gaps == [Gap(10, 17, GapReason.FRAME_TOO_LARGE)]
    assert planner.step() is None
