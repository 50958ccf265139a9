"""Merges sorted branches of the archive, reading of each no more than the first of all need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from core.archive.event_query import Key


class Found(NamedTuple):
    """The key of a row that was found, and whether it keeps its bytes, which SQL could not look into."""

    created_at: int
    id: bytes
    has_raw: bool

    @property
    def key(self) -> Key:
        """The key alone."""
        return Key(self.created_at, self.id)


def place(key: Key | Found) -> tuple[int, bytes]:
    """The place of a row in the order of an answer: newest first, of one second the lowest id."""
    return -key.created_at, key.id


class Read(NamedTuple):
    """A row that was read of a branch.

    Attributes:
        branch: its number.
        found: the row's key.
        is_shown: the reader may see it. Of others only the last that may be looked at is told, so that reading goes on.
        number: how many rows of the branch were looked at up to this one, from 1.
    """

    branch: int
    found: Found
    is_shown: bool
    number: int


_AFTER_ALL = b"\xff" * 33
"""Comes after every id."""
_GROWTH = 4
"""By which a branch is read deeper the next time: a page of 500 that is all in one of 1,000 branches takes five rounds,
and at most four times as many rows are read as are needed."""


class Merge:
    """Says which branches are to be read, and how far, until the first rows of all are known.

    Args:
        branches: how many there are.
        limit: how many of the first rows are wanted.
        most_at_once: rows of all branches together that may be looked at in one reading, to find some that are shown.
    """

    def __init__(self, branches: int, limit: int, most_at_once: int) -> None:
        self._limit = limit
        self._most_at_once = most_at_once
        # Of each branch that may have more, the last key that was read of it.
        self._ends: dict[int, Key | None] = dict.fromkeys(range(branches))
        self._best: list[Found] = []
        # Twice the even share: then few branches are read a second time.
        self.count = min(limit, max(1, -(-2 * limit // max(branches, 1))))

    @property
    def best(self) -> list[Found]:
        """The first rows, in order, once none is `due`."""
        return self._best

    @property
    def floor(self) -> int | None:
        """Rows that are older cannot be among the first; None: any can."""
        return self._best[-1].created_at if len(self._best) >= self._limit else None

    def due(self) -> dict[int, Key | None]:
        """Branches that may hide rows among the first, each with the key below which to read `count` further rows.

        None for a key: from the branch's beginning.
        """
        if len(self._best) < self._limit:
            return dict(self._ends)
        last = place(self._best[-1])
        return {branch: end for branch, end in self._ends.items() if end is None or place(end) < last}

    def depth(self, asked: int) -> int:
        """How many rows of each of so many branches may be looked at to find `count` of them."""
        return max(2 * self.count, self._most_at_once // asked)

    def take(self, asked: Iterable[int], rows: Iterable[Read], depth: int) -> None:
        """Take what was read of the branches that were asked: at most `count` rows of each, from `floor` on.

        Among the first `depth` rows of a branch, and those of the same second as the last of these, no other is shown.
        """
        given: Counter[int] = Counter()
        ends: dict[int, Key] = {}
        reached: dict[int, Key] = {}
        for branch, found, is_shown, number in rows:
            given[branch] += 1
            if branch not in ends or place(found) > place(ends[branch]):
                ends[branch] = found.key
            if number == depth:
                reached[branch] = Key(found.created_at, _AFTER_ALL)
            if is_shown:
                self._best.append(found)
        for branch in asked:
            if given[branch] >= self.count:
                self._ends[branch] = ends[branch]
            elif branch in reached:
                self._ends[branch] = reached[branch]
            else:
                # What lies below the floor is of no interest either.
                self._ends.pop(branch, None)
        self._best.sort(key=place)
        del self._best[self._limit :]
        self.count = min(_GROWTH * self.count, self._limit)
