"""New events reach each subscription once, from the offset on that its reading of the archive ended at."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest

from api.live.feed import Feed, FullError, LiveEvent, NotKeptError
from schemas.nostr.filters import Filter
from tests.unit.api.live.made import live, numbered

KEPT_BYTES = 2**30
ALL = [Filter(), Filter(kinds=(1,))]


class Taker:
    """Takes new events."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.is_lost = False

    def take(self, taken: LiveEvent) -> None:
        self.numbers.append(int(taken.event.id, 16))

    def lose(self) -> None:
        self.is_lost = True


def begun(kept_bytes: int = KEPT_BYTES) -> Feed:
    feed = Feed(kept_bytes)
    feed.begin({0: 0})
    return feed


def test_whatever_is_ahead_of_the_other_each_event_comes_once() -> None:
    """A topic of four partitions is read by a sink and a feed, each as far as it happens to be."""
    rng = random.Random(1)
    ends, written = dict.fromkeys(range(4), 0), dict.fromkeys(range(4), 0)
    records: dict[tuple[int, int], int] = {}
    feed = Feed(KEPT_BYTES)
    feed.begin(written)
    takers: list[tuple[Taker, Counter[int]]] = []
    number = 0

    def read(partition: int) -> None:
        offset = feed.ring.positions[partition]
        if offset < ends[partition]:
            feed.add(partition, offset, live(numbered(records[partition, offset])))

    for _ in range(6_000):
        partition = rng.randrange(4)
        match rng.randrange(4):
            case 0:
                records[partition, ends[partition]] = number
                ends[partition] += 1
                number += 1
            case 1:
                read(partition)
            case 2:
                written[partition] = min(ends[partition], written[partition] + rng.randrange(3))
            case 3 if rng.random() < 0.1:
                taker = Taker()
                archived = Counter(each for (place, offset), each in records.items() if offset < written[place])
                feed.subscribe(written, ALL, taker.take)
                takers.append((taker, archived))
    for partition in range(4):
        while feed.ring.positions[partition] < ends[partition]:
            read(partition)
    assert len(takers) > 50
    assert all(Counter(taker.numbers) + archived == Counter(range(number)) for taker, archived in takers)


def test_an_event_comes_once_though_several_filters_match() -> None:
    feed, taker = begun(), Taker()
    feed.add(0, 0, live(numbered(0)))
    feed.subscribe({0: 0}, ALL, taker.take)
    assert feed.add(0, 1, live(numbered(1))) == 1
    assert taker.numbers == [0, 1]


def test_what_ended_is_given_nothing() -> None:
    feed, taker = begun(), Taker()
    subscription = feed.subscribe({0: 0}, ALL, taker.take)
    subscription.end()
    subscription.end()
    assert feed.add(0, 0, live(numbered(0))) == 0
    assert not feed.subscriptions
    assert not feed.index.size


def test_it_may_end_while_it_is_given_an_event() -> None:
    feed, first, second = begun(), Taker(), Taker()
    subscriptions = [feed.subscribe({0: 0}, ALL, each.take) for each in (first, second)]

    def end_both(taker: Taker, taken: LiveEvent) -> None:
        taker.take(taken)
        for each in subscriptions:
            each.end()

    for each in subscriptions:
        each.end()
    subscriptions[:] = [feed.subscribe({0: 0}, ALL, partial(end_both, each)) for each in (first, second)]
    assert feed.add(0, 0, live(numbered(0))) == 1
    assert sorted([first.numbers, second.numbers]) == [[], [0]]


def test_a_taker_that_fails_ends_its_own_subscription_alone(caplog: pytest.LogCaptureFixture) -> None:
    feed, failing, other = begun(), Taker(), Taker()

    def fail(_: LiveEvent) -> None:
        raise LookupError("of one connection")

    def fail_too() -> None:
        failing.lose()
        raise LookupError("of the same connection")

    feed.subscribe({0: 0}, ALL, fail, fail_too)
    feed.subscribe({0: 0}, ALL, other.take)
    for number in range(2):
        feed.add(0, number, live(numbered(number)))
    assert other.numbers == [0, 1]
    assert failing.is_lost
    assert len(feed.subscriptions) == 1
    assert "of one connection" in caplog.text


def test_what_is_kept_may_not_be_wanted_either(caplog: pytest.LogCaptureFixture) -> None:
    feed = begun()
    feed.add(0, 0, live(numbered(0)))

    def fail(_: LiveEvent) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        feed.subscribe({0: 0}, ALL, fail)
    assert not feed.subscriptions


def test_a_new_beginning_ends_all() -> None:
    feed, taker = begun(), Taker()
    feed.subscribe({0: 0}, ALL, taker.take, taker.lose)
    feed.begin({0: 5})
    assert taker.is_lost
    with pytest.raises(NotKeptError):
        feed.subscribe({0: 4}, ALL, taker.take)
    feed.subscribe({0: 5}, ALL, taker.take)
    feed.add(0, 5, live(numbered(5)))
    assert taker.numbers == [5]


def test_more_than_is_kept_is_a_gap() -> None:
    feed, taker = begun(3 * live(numbered(0)).size_bytes), Taker()
    for number in range(4):
        feed.add(0, number, live(numbered(number)))
    with pytest.raises(NotKeptError, match="further behind"):
        feed.subscribe({0: 0}, ALL, taker.take)
    feed.subscribe({0: 1}, ALL, taker.take)
    assert taker.numbers == [1, 2, 3]


def test_filters_are_bounded_together() -> None:
    feed, taker = Feed(KEPT_BYTES, most_values=3), Taker()
    feed.begin({0: 0})
    subscriptions = [feed.subscribe({0: 0}, [Filter(kinds=(1, number))], taker.take) for number in (2, 3)]
    with pytest.raises(NotKeptError, match="hold 3 values"):
        feed.subscribe({0: 0}, [Filter()], taker.take)
    subscriptions[0].end()
    feed.subscribe({0: 0}, [Filter()], taker.take)


def test_filters_of_one_client_leave_room_for_those_of_others() -> None:
    feed, taker = Feed(KEPT_BYTES, most_client_values=3), Taker()
    feed.begin({0: 0})
    wanted = [Filter(kinds=(1, 2, 3))]
    subscription = feed.subscribe({0: 0}, wanted, taker.take, client="first")
    with pytest.raises(FullError, match="your open filters hold 3 values already"):
        feed.subscribe({0: 0}, wanted, taker.take, client="first")
    feed.subscribe({0: 0}, wanted, taker.take, client="second")
    subscription.end()
    feed.subscribe({0: 0}, wanted, taker.take, client="first")
