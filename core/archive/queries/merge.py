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


_GROWTH = 4
"""By which a branch is read deeper the next time: a page of 500 that is all in one of 1,000 branches takes five rounds,
and at most four times as many rows are read as are needed."""


class Merge:
    """Says which branches are to be read, and how far, until the first rows of all are known.

    Args:
        branches: how many there are.
        limit: how many of the first rows are wanted.
    """

    def __init__(self, branches: int, limit: int) -> None:
        self._limit = limit
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

    def take(self, asked: Iterable[int], rows: Iterable[tuple[int, Found]]) -> None:
        """Take what was read of the branches that were asked: at most `count` rows of each, from `floor` on."""
        given: Counter[int] = Counter()
        ends: dict[int, Key] = {}
        for branch, found in rows:
            given[branch] += 1
            if branch not in ends or place(found) > place(ends[branch]):
                ends[branch] = found.key
            self._best.append(found)
        for branch in asked:
            if given[branch] < self.count:
                # What lies below the floor is of no interest either.
                self._ends.pop(branch, None)
            else:
                self._ends[branch] = ends[branch]
        self._best.sort(key=place)
        del self._best[self._limit :]
        self.count = min(_GROWTH * self.count, self._limit)
