"""Seconds in which a relay withholds what it named: as narrow as it told, and open until a comparison settles them."""

from __future__ import annotations

import pytest

from producers.connector.coverage.ledger import Ledger
from producers.connector.coverage.progress import Gap, Progress
from producers.connector.crawl.planning.planner import Planner
from producers.connector.crawl.planning.steps import Difference
from producers.connector.reconcile.comparison import MOST_WITHHELD_IN, few
from producers.connector.relay_behavior import RelayBehavior
from schemas.negentropy.wire import INFINITE, Bound, seconds_between
from schemas.nostr.filters import Filter
from schemas.ranges import Range, complement
from schemas.records.coverage import GapReason

NOW = 1_700_000_000
LOW, HIGH = b"\x01" * 32, b"\x09" * 32


@pytest.mark.parametrize(
    ("begin", "end", "event_id", "expected"),
    [
        (Bound(5, b""), Bound(9, b""), LOW, (5, 8)),
        (Bound(5, b"\x02"), Bound(9, b"\x05"), LOW, (6, 9)),
        (Bound(5, b"\x02"), Bound(9, b"\x05"), HIGH, (5, 8)),
        (Bound(5, b"\x01"), Bound(5, b"\x02"), LOW, (5, 5)),
        (Bound(0, b""), INFINITE, LOW, (0, 2**64 - 2)),
        # What cannot lie there is somewhere there all the same.
        (Bound(5, b"\x02"), Bound(5, b"\x03"), HIGH, (5, 5)),
        (Bound(5, b""), Bound(5, b""), LOW, (5, 5)),
    ],
)
def test_bounds_of_a_range_and_an_id_tell_its_seconds(
    begin: Bound, end: Bound, event_id: bytes, expected: Range
) -> None:
    assert seconds_between(begin, end, event_id) == expected


def test_many_ranges_are_joined_where_they_are_nearest() -> None:
    apart = [(start * start, start * start) for start in range(1, MOST_WITHHELD_IN + 3)]
    assert few(apart[-MOST_WITHHELD_IN:]) == apart[-MOST_WITHHELD_IN:]
    assert few([*apart, *apart]) == [(1, 9), *apart[3:]]
    assert few([]) == []


def test_a_compared_window_is_read_but_for_what_is_withheld() -> None:
    planner = Planner([(100, 199)], RelayBehavior(limit=100), Filter(), compares=lambda: True)
    assert planner.step() == Difference(100, 199)
    progress = planner.compared(whole=True, withheld_in=[(120, 130)])
    assert progress == Progress(read=[(100, 119), (131, 199)], gaps=[Gap(120, 130, GapReason.WITHHELD)])
    assert planner.step() is None


def withholding() -> Ledger:
    """Everything read an hour ago, and later found to be withheld in part."""
    book = Ledger("wss://relay.example", {"f": Filter()}, None, late_days=0)
    book.add("f", Progress(read=[(0, NOW - 3_600)]), NOW - 3_600)
    book.add("f", Progress(read=[(0, 49), (60, NOW)], gaps=[Gap(50, 59, GapReason.WITHHELD)]), NOW)
    return book


def gaps(book: Ledger) -> list[tuple[int, int, GapReason, int]]:
    return [(gap.since, gap.until, gap.reason, gap.tries) for gap in book.record(0).sets[0].gaps]


def unread(book: Ledger) -> list[Range]:
    return complement([(since, until) for since, until, _ in book.record(0).sets[0].read], 0, NOW)


def test_what_is_withheld_corrects_what_was_read() -> None:
    book = withholding()
    assert gaps(book) == [(50, 59, GapReason.WITHHELD, 1)]
    assert unread(book) == [(50, 59)]
    assert [book.withheld("f", *span) for span in ((0, 49), (0, 50), (55, 55), (60, 99))] == [False, True, True, False]


def test_neither_a_live_feed_nor_pages_nor_another_failure_settle_what_is_withheld() -> None:
    book = withholding()
    book.heard(10, NOW + 1)
    book.add("f", Progress(read=[(0, NOW)]), NOW + 1, settles_withheld=False)
    book.add("f", Progress(gaps=[Gap(0, 70, GapReason.CLOSED)]), NOW + 2)
    assert gaps(book) == [(50, 59, GapReason.WITHHELD, 1)]
    assert unread(book) == [(50, 59)]


def test_what_was_due_in_vain_waits_longer() -> None:
    book = withholding()
    due_s = book.next_due_s(NOW) or 0
    book.add("f", Progress(read=[(40, 60)]), due_s, settles_withheld=False)
    again_s = book.next_due_s(due_s) or 0
    assert again_s - due_s >= 2 * 3_600
    book.add("f", Progress(gaps=[Gap(50, 59, GapReason.RATE_LIMITED)]), again_s)
    assert gaps(book) == [(50, 59, GapReason.WITHHELD, 3)]


def test_a_comparison_settles_what_was_withheld() -> None:
    book = withholding()
    book.add("f", Progress(read=[(40, 54)]), NOW + 1)
    assert gaps(book) == [(55, 59, GapReason.WITHHELD, 1)]
    book.add("f", Progress(read=[(55, 60)]), NOW + 1)
    assert gaps(book) == []
    assert unread(book) == []
