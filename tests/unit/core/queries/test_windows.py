"""Windows cover the months that are not empty, once each and newest first, few where little is found."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.archive.months import Month
from core.archive.queries.windows import FIRST_EVENTS, GROWTH, MOST_MONTHS, Walk, Window, whole_months

MONTH_S = 2_592_000
FAR_S = 2**63 - 1


def month(number: int, events: int) -> Month:
    return Month(number * MONTH_S, (number + 1) * MONTH_S, f"{number:04}", "", events, events // 8)


FUTURE = Month(100 * MONTH_S, FAR_S, "future", "", 3, 1)
PAST = Month(-(2**63), 0, "past", "", 3, 1)


def windows(walk: Walk, found: int = 0) -> list[Window]:
    made = []
    while (window := walk.next(found, 500)) is not None:
        made.append(window)
    return made


@given(
    st.sets(st.integers(0, 99)),
    st.sampled_from([0, 10, 30_000, 10_000_000]),
    st.booleans(),
    st.tuples(st.none() | st.integers(0, 200 * MONTH_S), st.integers(0, FAR_S)),
    st.sampled_from([0, 1, 400]),
)
def test_windows_are_apart_and_cover_all_months_in_question(
    numbers: set[int],
    events: int,
    by_events: bool,
    times: tuple[int | None, int],
    found: int,
) -> None:
    since_s, until_s = times
    months = [PAST, *(month(number, events) for number in sorted(numbers)), FUTURE]
    made = windows(Walk(months, since_s, until_s, by_events=by_events), found)
    assert all(newer.from_s >= older.to_s for newer, older in pairwise(made))
    for each in months:
        for at_s in (each.from_s, (each.from_s + each.to_s) // 2, each.to_s - 1):
            if (since_s is None or at_s >= since_s) and at_s <= until_s:
                assert sum(window.from_s <= at_s < window.to_s for window in made) == 1


def test_twice_as_many_months_each_time_up_to_a_bound_and_never_over_a_gap() -> None:
    made = windows(Walk([month(number, 5) for number in range(100)], None, FAR_S, by_events=False))
    assert [window.months for window in made] == [1, 2, 4, 8, 16, MOST_MONTHS, MOST_MONTHS, 5]
    parted = windows(Walk([month(number, 5) for number in (1, 2, 7)], None, FAR_S, by_events=False))
    assert [window.months for window in parted] == [1, 2]
    parted = windows(Walk([month(number, 5) for number in (1, 6, 7)], None, FAR_S, by_events=True))
    assert [window.months for window in parted] == [2, 1]


def test_windows_by_events_hold_what_is_still_wanted() -> None:
    walk = Walk([month(number, 10_000_000) for number in range(3)], None, FAR_S, by_events=True)
    first = walk.next(0, 500)
    assert first is not None
    assert first.events == 2_000
    assert first.to_s - first.from_s == MONTH_S * first.events // 10_000_000
    # 100 of 2,000: 400 more are expected among 8,000, and twice as many are read.
    second = walk.next(100, 400)
    assert second is not None
    assert second.events == 16_000
    assert second.to_s == first.from_s
    third = walk.next(0, 400)
    assert third is not None
    assert third.events == GROWTH * second.events
    small = Walk([month(1, 10_000_000)], None, FAR_S, by_events=True).next(0, 1)
    assert small is not None
    assert small.events == FIRST_EVENTS


def test_whole_months_are_those_of_the_calendar() -> None:
    def at_s(*date: int) -> int:
        return int(datetime(*date, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]

    made = whole_months([at_s(2026, 12, 31), at_s(2026, 11, 1), at_s(2026, 11, 30)])
    assert (made.from_s, made.to_s) == (at_s(2026, 11, 1), at_s(2027, 1, 1))
    assert whole_months([0]).from_s == 0
    far = whole_months([2**40])
    assert far.from_s <= 2**40 < far.to_s == FAR_S
    assert whole_months([2**62]) == far
