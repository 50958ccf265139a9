"""A merge gives the first rows of all branches, and reads little more than these."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.archive.queries.merge import Found, Merge, place

ROWS = st.builds(
    Found,
    st.integers(0, 6),
    st.binary(min_size=1, max_size=1),
    st.just(False),
)
BRANCHES = st.lists(st.lists(ROWS, max_size=30), max_size=6)


def read(branches: Sequence[Sequence[Found]], limit: int) -> tuple[list[Found], int]:
    """What a merge gives of these branches, and how many rows it was given."""
    merge = Merge(len(branches), limit)
    taken = 0
    while asked := merge.due():
        rows = []
        for branch, end in asked.items():
            below = [row for row in branches[branch] if end is None or place(row) > place(end)]
            if merge.floor is not None:
                below = [row for row in below if row.created_at >= merge.floor]
            rows += [(branch, row) for row in below[: merge.count]]
        taken += len(rows)
        merge.take(asked, rows)
    return merge.best, taken


@given(BRANCHES, st.integers(1, 40))
def test_the_first_rows_of_all_branches_are_found(branches: list[list[Found]], limit: int) -> None:
    # As rows of a table: each in one branch alone.
    seen: set[Found] = set()
    apart = []
    for rows in branches:
        apart.append(sorted(set(rows) - seen, key=place))
        seen |= set(rows)
    best, _ = read(apart, limit)
    assert best == sorted(chain.from_iterable(apart), key=place)[:limit]


@pytest.mark.parametrize("shares", [[1] * 1000, [1000] + [1] * 999, [100] * 10 + [1] * 90, [1]])
def test_few_rows_are_read_beside_those_that_are_given(shares: list[int]) -> None:
    rng = random.Random(1)
    branches: list[list[Found]] = [[] for _ in shares]
    for number, branch in enumerate(rng.choices(range(len(shares)), shares, k=20_000)):
        branches[branch].append(Found(-number, b"", has_raw=False))
    best, taken = read(branches, 500)
    assert [row.created_at for row in best] == [-number for number in range(500)]
    # The first of each branch, and of a deeper one at most four times as many as are given.
    assert taken <= len(shares) + 4 * 500
