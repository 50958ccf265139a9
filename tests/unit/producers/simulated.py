"""A relay in memory, for the crawl planner: it answers queries with a cap and an order of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from producers.relays.crawl import Gap, Page, Planner, Query
from producers.relays.habits import Habits
from schemas.ranges import Range, merge

Order = Literal["newest_first", "newest_ascending", "newest_shuffled", "oldest_first"]
Ties = Literal["by_id", "by_arrival", "random"]


@dataclass
class SimulatedRelay:
    """Stored events as (second, id), and how the relay picks and sorts a page of them."""

    events: list[tuple[int, str]]
    cap: int = 500
    order: Order = "newest_first"
    ties: Ties = "by_id"
    exclusive_until: bool = False
    hints: bool = False
    seed: int = 0
    queries: list[Query] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def answer(self, query: Query) -> Page:
        self.queries.append(query)
        fitting = [event for event in self.events if self._fits(event[0], query)]
        if self.ties == "by_id":
            fitting.sort(key=lambda event: event[1])
        elif self.ties == "random":
            self._random.shuffle(fitting)
        fitting.sort(key=lambda event: event[0], reverse=self.order != "oldest_first")
        page = fitting[: min(self.cap, query.limit)]
        if self.order == "newest_ascending":
            page.reverse()
        elif self.order == "newest_shuffled":
            self._random.shuffle(page)
        hints = frozenset[str]()
        if self.hints:
            hints = frozenset({"finish" if len(page) == len(fitting) else "more"})
        return Page(page, hints=hints)

    def _fits(self, second: int, query: Query) -> bool:
        if query.since is not None and second < query.since:
            return False
        return query.until is None or (second < query.until if self.exclusive_until else second <= query.until)


@dataclass
class Crawled:
    """What a whole crawl brought."""

    ids: set[str]
    read: list[Range]
    gaps: list[Gap]


def crawl(
    relay: SimulatedRelay, ranges: list[Range], habits: Habits | None = None, most_queries: int = 10_000
) -> Crawled:
    """Crawl until the planner has nothing more to ask."""
    planner = Planner(ranges, habits or Habits(limit=500))
    result = Crawled(set(), [], [])
    for _ in range(most_queries):
        query = planner.query()
        if query is None:
            result.read = merge(result.read)
            return result
        page = relay.answer(query)
        result.ids |= {event_id for _, event_id in page.events}
        progress = planner.feed(page)
        result.read += progress.read
        result.gaps += progress.gaps
    raise AssertionError(f"the crawl did not end within {most_queries} queries")
