"""A time axis of months, days or hours: what was read, what is missing and what was not asked for.

Pure functions: bounds of cells in, characters out. All times are Unix seconds, and UTC where they are written.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from schemas.ranges import Range, merge

# The year has this many months; a quarter has three.
_MONTHS, _QUARTER = 12, 3


class Cell(Enum):
    """What is known of one stretch of the axis."""

    READ = "read"
    PARTLY = "partly read"
    GAP = "gap"
    UNREAD = "unread"


SYMBOLS = {Cell.READ: "█", Cell.PARTLY: "▒", Cell.GAP: "×", Cell.UNREAD: "·"}  # noqa: RUF001 - a cross, as meant
ASCII_SYMBOLS = {Cell.READ: "#", Cell.PARTLY: "+", Cell.GAP: "x", Cell.UNREAD: "."}


class Unit(NamedTuple):
    """How long a cell is: where the one begins in which a moment lies, and where the next one does."""

    name: str
    floor: Callable[[dt.datetime], dt.datetime]
    following: Callable[[dt.datetime], dt.datetime]
    label: str
    is_marked: Callable[[dt.datetime], bool]


def _month(moment: dt.datetime, length: int) -> dt.datetime:
    return moment.replace(month=(moment.month - 1) // length * length + 1, day=1, hour=0, minute=0, second=0)


def _months_on(moment: dt.datetime, count: int) -> dt.datetime:
    years, month = divmod(moment.month - 1 + count, _MONTHS)
    return moment.replace(year=moment.year + years, month=month + 1)


_UNITS = (
    Unit(
        "hour",
        lambda moment: moment.replace(minute=0, second=0),
        lambda moment: moment + dt.timedelta(hours=1),
        "%d %b",
        lambda moment: moment.hour == 0,
    ),
    Unit(
        "day",
        lambda moment: moment.replace(hour=0, minute=0, second=0),
        lambda moment: moment + dt.timedelta(days=1),
        "%Y-%m",
        lambda moment: moment.day == 1,
    ),
    Unit(
        "month",
        lambda moment: _month(moment, 1),
        lambda moment: _months_on(moment, 1),
        "%Y",
        lambda moment: moment.month == 1,
    ),
    Unit(
        "quarter",
        lambda moment: _month(moment, _QUARTER),
        lambda moment: _months_on(moment, _QUARTER),
        "%Y",
        lambda moment: moment.month == 1,
    ),
    Unit(
        "year",
        lambda moment: _month(moment, _MONTHS),
        lambda moment: _months_on(moment, _MONTHS),
        "%Y",
        lambda _moment: True,
    ),
)


class Axis(NamedTuple):
    """Cells between bounds: cell n is from `bounds[n]` up to but not including `bounds[n + 1]`."""

    unit: Unit
    bounds: list[int]

    def labels(self) -> str:
        """Name moments above the cells where they begin; what would run into the one before is left out."""
        line = ""
        for place, bound in enumerate(self.bounds[:-1]):
            moment = dt.datetime.fromtimestamp(bound, dt.UTC)
            if (place == 0 or self.unit.is_marked(moment)) and (not line or len(line) < place):
                line = line.ljust(place) + moment.strftime(self.unit.label)
        return line


def axis(since_s: int, until_s: int, width: int) -> Axis:
    """Cut a time, of which the end is not included, into at most `width` cells of the shortest unit with so few.

    Where even years are too many, the first ones are left out.
    """
    beginning = dt.datetime.fromtimestamp(since_s, dt.UTC)
    for unit in _UNITS:
        bounds = [since_s]
        moment = unit.following(unit.floor(beginning))
        while moment.timestamp() < until_s and (len(bounds) <= width or unit is _UNITS[-1]):
            bounds.append(int(moment.timestamp()))
            moment = unit.following(moment)
        if len(bounds) <= width:
            break
    return Axis(unit, [*bounds, until_s][-width - 1 :])


def cells(bounds: Sequence[int], read: Iterable[Range], gaps: Iterable[Range]) -> list[Cell]:
    """Return for each cell whether it was read, given ranges of seconds with both ends included."""
    count = len(bounds) - 1
    seconds = [0] * count
    for place, low, high in _pieces(bounds, merge(read)):
        seconds[place] += high - low
    with_gap = {place for place, _, _ in _pieces(bounds, gaps)}
    found = []
    for place in range(count):
        if place in with_gap:
            found.append(Cell.GAP)
        elif seconds[place] >= bounds[place + 1] - bounds[place]:
            found.append(Cell.READ)
        else:
            found.append(Cell.PARTLY if seconds[place] else Cell.UNREAD)
    return found


def share(read: Iterable[Range], since_s: int, until_s: int) -> float:
    """The share of the seconds from one to another, which is not included, that were read."""
    return sum(high - low for _, low, high in _pieces([since_s, until_s], merge(read))) / max(1, until_s - since_s)


def _pieces(bounds: Sequence[int], ranges: Iterable[Range]) -> Iterable[tuple[int, int, int]]:
    """The parts of ranges that lie in cells: the cell, the first second, and the one after the last."""
    for since, until in ranges:
        low, end = max(since, bounds[0]), min(until + 1, bounds[-1])
        place = bisect_right(bounds, low) - 1
        while low < end:
            high = min(end, bounds[place + 1])
            yield place, low, high
            low, place = high, place + 1
