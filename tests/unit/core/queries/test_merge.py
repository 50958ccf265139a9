"""A merge gives the first rows of all branches, and reads little more than these."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.archive.queries.merge import Found, Merge, Read, place

ROWS = st.builds(
    Found,
    st.integers(0, 6),
    st.binary(min_size=1, max_size=1),
    st.just(False),
)
BRANCHES = st.lists(st.lists(ROWS, max_size=30), max_size=6)
HIDDEN = b"\x80"
"""Rows with higher ids are hidden."""


def read(branches: Sequence[Sequence[Found]], limit: int, most_at_once: int = 10_000) -> tuple[list[Found], int]:
    """What a merge gives of these branches, and how many rows it was given."""
    merge = Merge(len(branches), limit, most_at_once)
    taken = 0
    while asked := merge.due():
        rows = []
        for branch, end in asked.items():
            below = [row for row in branches[branch] if end is None or place(row) > place(end)]
            if merge.floor is not None:
                below = [row for row in below if row.created_at >= merge.floor]
            rows += one_branch(branch, below, merge.count, merge.depth(len(asked)))
        taken += len(rows)
        merge.take(asked, rows, merge.depth(len(asked)))
    return merge.best, taken


def one_branch(branch: int, below: Sequence[Found], count: int, depth: int) -> list[Read]:
    """What the statement gives of a branch: an index has no order of ids."""
    indexed = sorted(below, key=lambda row: (-row.created_at, -row.id[0]))
    numbered = [Read(branch, row, row.id < HIDDEN, number) for number, row in enumerate(indexed, 1)]
    looked_at = with_ties(numbered, depth)
    given = with_ties([row for row in looked_at if row.is_shown or row.number == depth], count)
    return sorted(given, key=lambda row: place(row.found))[:count]


def with_ties(rows: list[Read], count: int) -> list[Read]:
    last = rows[:count][-1:]
    return rows[:count] + list(takewhile(lambda row: row.found.created_at == last[0].found.created_at, rows[count:]))


@given(BRANCHES, st.integers(1, 40), st.integers(1, 60))
def test_the_first_rows_of_all_branches_are_found(branches: list[list[Found]], limit: int, most_at_once: int) -> None:
    # As rows of a table: each in one branch alone.
    seen: set[Found] = set()
    apart = []
    for rows in branches:
        apart.append(sorted(set(rows) - seen, key=place))
        seen |= set(rows)
    best, _ = read(apart, limit, most_at_once)
    assert best == sorted((row for row in chain.from_iterable(apart) if row.id < HIDDEN), key=place)[:limit]


@pytest.mark.parametrize("shares", [[1] * 1000, [1000] + [1] * 999, [100] * 10 + [1] * 90, [1]])
def test_few_rows_are_read_beside_those_that_are_given(shares: list[int]) -> None:
    rng = random.Random(1)
    branches: list[list[Found]] = [[] for _ in shares]
    for number, branch in enumerate(rng.choices(range(len(shares)), shares, k=20_000)):
        branches[branch].append(Found(-number, b"\0", has_raw=False))
    best, taken = read(branches, 500)
    assert [row.created_at for row in best] == [-number for number in range(500)]
    # The first of each branch, and of a deeper one at most four times as many as are given.
    assert taken <= len(shares) + 4 * 500


@pytest.mark.parametrize("limit", [1, 3, 20])
@pytest.mark.parametrize("most_at_once", [1, 7, 60])
def test_rows_below_many_hidden_ones_are_found(limit: int, most_at_once: int) -> None:
    hidden = [Found(-number // 3, bytes([255 - number % 3]), has_raw=False) for number in range(50)]
    shown = [Found(-100 - number // 3, bytes([number % 3]), has_raw=False) for number in range(10)]
    best, taken = read([hidden + shown, hidden, shown[:0]], limit, most_at_once)
    assert best == sorted(shown, key=place)[:limit]
    # Of the hidden ones, only where a reading ended is told.
    assert taken <= len(shown) + 2 * len(hidden)
