"""Bounds the candidates: who names a hundred thousand relays fills no memory, and pushes out no better candidate."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from schemas.records.relay import RelayRecord

_SLACK = 64
"""Outdated places that a small heap may hold before it is made anew."""


class Rank(NamedTuple):
    """The order in which candidates go; the least goes first.

    Those that one author names go before those that wait for a cap, and of each the latest: a flood comes after what it
    is meant to push out.
    """

    is_vouched: bool
    minus_first_seen_ms: int
    url: str


def rank(record: RelayRecord, *, is_vouched: bool) -> Rank:
    """The rank of a candidate."""
    return Rank(is_vouched, -(record.first_seen_ms or 0), record.url)


class Candidates:
    """Candidates by rank, of a domain or of a partition."""

    __slots__ = ("_heap", "_ranks")

    def __init__(self) -> None:
        self._ranks: dict[str, Rank] = {}
        self._heap: list[Rank] = []

    def __len__(self) -> int:
        return len(self._ranks)

    def put(self, placed: Rank) -> None:
        """Add a candidate, or give it another rank."""
        if self._ranks.get(placed.url) == placed:
            return
        self._ranks[placed.url] = placed
        heapq.heappush(self._heap, placed)
        if len(self._heap) > 2 * len(self._ranks) + _SLACK:
            self._heap = list(self._ranks.values())
            heapq.heapify(self._heap)

    def discard(self, url: str) -> None:
        """Take one out, if it is there."""
        self._ranks.pop(url, None)

    def excess(self, most: int) -> str | None:
        """Return the URL that goes first where there are more than `most`, or None."""
        if len(self._ranks) <= most:
            return None
        while self._ranks.get(self._heap[0].url) != self._heap[0]:
            heapq.heappop(self._heap)
        return self._heap[0].url
