"""What is kept of new events, and from where on all of it is."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from api.live.ring import LiveEvent, NotKeptError, Ring
from core.archive.queries.view import Audience
from schemas.nostr.event import encode_event, parse_event
from tests.unit.api.live.made import HEX, live, numbered

KEPT_BYTES = 20_000
PLAIN_BYTES = live(numbered(0)).size_bytes


def begun(kept_bytes: int = KEPT_BYTES) -> Ring:
    ring = Ring(kept_bytes)
    ring.begin({0: 0, 1: 0})
    return ring


def ids(events: list[LiveEvent]) -> list[int]:
    return [int(each.event.id, 16) for each in events]


def test_events_come_in_the_order_in_which_they_were_read() -> None:
    ring = begun()
    for number in range(6):
        assert ring.append(number % 2, number, live(numbered(number)))
    assert ids(ring.since({0: 0, 1: 0})) == [0, 1, 2, 3, 4, 5]
    assert ids(ring.since({0: 4, 1: 2})) == [3, 4, 5]
    assert ids(ring.since({0: 99, 1: 4})) == [5]
    assert ids(ring.since({0: 5, 1: 6})) == []


def test_nothing_is_given_below_what_is_kept() -> None:
    ring = begun()
    count = KEPT_BYTES // PLAIN_BYTES
    for number in range(count + 2):
        ring.append(number % 2, number, live(numbered(number)))
    assert len(ring) == count
    assert ring.size_bytes <= KEPT_BYTES
    assert ids(ring.since({0: 1, 1: 2}))[0] == 2
    for too_early in ({0: 0, 1: 2}, {0: 1, 1: 1}):
        with pytest.raises(NotKeptError, match="further behind"):
            ring.since(too_early)


@pytest.mark.parametrize("offsets", [{}, {0: 0}, {0: 0, 1: 0, 2: 0}])
def test_other_partitions_are_refused(offsets: dict[int, int]) -> None:
    with pytest.raises(NotKeptError, match="partitions"):
        begun().since(offsets)


def test_before_the_beginning_nothing_is_given() -> None:
    with pytest.raises(NotKeptError, match="not read"):
        Ring(KEPT_BYTES).since({})


def test_an_event_is_kept_once() -> None:
    ring = begun()
    assert ring.append(0, 0, live(numbered(7)))
    assert not ring.append(0, 1, live(numbered(7)))  # published twice
    assert not ring.append(0, 1, live(numbered(8)))  # read twice
    assert ring.positions == {0: 2, 1: 0}
    assert ids(ring.since({0: 0, 1: 0})) == [7]


def test_what_was_erased_is_given_no_more() -> None:
    ring = begun()
    for number in range(3):
        ring.append(0, number, live(numbered(number)))
    ring.erase(numbered(1).id)
    ring.erase(numbered(9).id)
    assert ids(ring.since({0: 0, 1: 0})) == [0, 2]
    assert ring.size_bytes == 2 * PLAIN_BYTES
    for number in range(3, 100):
        ring.append(0, number, live(numbered(number)))
    assert len(ring) == KEPT_BYTES // PLAIN_BYTES


def test_records_that_are_no_events_are_behind_us() -> None:
    ring = begun()
    ring.reach(0, 5)
    ring.reach(0, 3)
    assert ring.positions == {0: 5, 1: 0}
    assert not ring.append(0, 4, live(numbered(1)))


def test_an_event_larger_than_the_bound_leaves_nothing() -> None:
    ring = begun()
    ring.append(0, 0, live(numbered(1)))
    assert ring.append(0, 1, live(numbered(2, "x" * KEPT_BYTES)))
    assert (len(ring), ring.size_bytes) == (0, 0)
    with pytest.raises(NotKeptError):
        ring.since({0: 1, 1: 0})
    assert ring.since({0: 2, 1: 0}) == []


def test_room_is_there_as_long_as_what_goes_was_written() -> None:
    ring = begun()
    for number in range(KEPT_BYTES // PLAIN_BYTES):
        ring.append(0, number, live(numbered(number)))
    assert not ring.loses_unwritten(PLAIN_BYTES, {0: 1})
    assert ring.loses_unwritten(PLAIN_BYTES, {0: 0})
    assert ring.loses_unwritten(PLAIN_BYTES, {})
    assert ring.loses_unwritten(2 * PLAIN_BYTES, {0: 1})
    assert not ring.loses_unwritten(2 * PLAIN_BYTES, {0: 2})
    assert not begun().loses_unwritten(KEPT_BYTES, {})


@pytest.mark.parametrize(
    ("tags", "content", "most"),
    [
        ([], "", 1.5),
        ([], "plain text " * 50, 1.5),
        ([["p", HEX[1]], ["e", HEX[2], "wss://relay.example", "reply"]], "an answer", 1.5),
        ([["p", HEX[1]]] * 500, "", 1.5),
        ([["t", "x"]] * 2_000, "", 1.5),
        ([["t", f"räksmörgås {number}"] for number in range(200)], "é" * 1_000, 4),
        ([["t", f"😀{number}"] for number in range(200)], "😀" * 1_000, 4),
        ([], '"\\' * 2_000, 20),
        ([[""] * 5_000], "", 20),
        ([[]] * 5_000, "", 2),
    ],
)
def test_memory_is_counted_as_it_is(tags: list[list[str]], content: str, most: float) -> None:
    """Rather too much, so that the bound holds; of usual events at most by half."""
    rng = random.Random(1)
    made = numbered(0, content)._replace(tags=tags)
    texts = [encode_event(made._replace(id=rng.randbytes(32).hex())) for _ in range(50)]
    ring = begun(2**30)
    tracemalloc.start()
    for number, text in enumerate(texts):
        ring.append(0, number, live(parse_event(text)))
    real_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert real_bytes <= ring.size_bytes <= most * real_bytes


def test_who_may_see_an_event_is_found_once() -> None:
    """One of 100,000 tags may go to thousands of subscriptions."""
    kept = live(numbered(1)._replace(kind=4, tags=[["p", "a"], ["p"], ["-"]]))
    assert kept.audience == Audience(is_protected=True, concerned=frozenset({kept.event.pubkey, "a"}))
    assert kept.audience is kept.audience
