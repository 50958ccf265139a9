"""A relay in memory, for the crawl planner: it answers queries with a cap, an order and faults of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from producers.connector.coverage.progress import Gap
from producers.connector.crawl.planning.planner import Planner
from producers.connector.crawl.planning.steps import Difference, Query
from producers.connector.known_filters import WITHHELD_KINDS, RelayKnownFilters
from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import Page, Seen
from schemas.nostr.filters import Filter
from schemas.ranges import Range, merge, subtract
from schemas.records.coverage import GapReason

Order = Literal[
    "newest_first", "newest_ascending", "newest_shuffled", "oldest_first", "oldest_descending", "any_sorted", "any"
]
Ties = Literal["by_id", "by_arrival", "random"]
AUTHOR = "a" * 64


def events_at(*seconds: int, kind: int = 1, author: str = AUTHOR) -> list[Seen]:
    return [Seen(second, f"{number:032x}{kind:032x}", kind, author) for number, second in enumerate(seconds)]


@dataclass
class SimulatedRelay:
    """Stored events, and how the relay picks and sorts a page of them.

    Attributes:
        withholds: it counts kinds 4 and 1059 against the limit and leaves them out, as strfry does.
        ignores_since: it sends what lies before `since` too.
        most_kinds: a filter with more of them gets no events, without a word.
        eose: whether its pages end with EOSE.
        forgets: ids that it shows once and never again.
        given: how many events it has sent so far, those that it sent again included.
        smallest_page: pages hold so many events up to `cap`, as a relay that counts bytes does; None: always `cap`.
        breaks: so large a share of its pages break off without EOSE.
    """

    events: list[Seen]
    cap: int = 500
    order: Order = "newest_first"
    ties: Ties = "by_id"
    exclusive_until: bool = False
    hints: bool = False
    withholds: bool = False
    ignores_since: bool = False
    most_kinds: int = 100_000
    eose: bool = True
    forgets: frozenset[str] = frozenset()
    smallest_page: int | None = None
    breaks: float = 0
    seed: int = 0
    queries: list[Query] = field(default_factory=list)
    given: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._shown: set[str] = set()

    @property
    def visible(self) -> set[str]:
        """Ids that it gives to somebody who asks well."""
        return {seen.id for seen in self.events if not (self.withholds and seen.kind in WITHHELD_KINDS)}

    def answer(self, query: Query) -> Page:
        """The page that a session makes of what comes."""
        page, whole, eose = self.sent(query)
        inside = [seen for seen in page if query.since is None or seen.at >= query.since]
        older = len(page) - len(inside)
        hints = frozenset({"finish" if whole else "more"}) if self.hints and eose else frozenset[str]()
        return Page(inside, None if eose else GapReason.NO_EOSE, hints, misfits=older, older=older)

    def sent(self, query: Query) -> tuple[list[Seen], bool, bool]:
        """What comes, whether that is all there is, and whether EOSE follows."""
        self.queries.append(query)
        kinds = frozenset(query.kinds) if query.kinds is not None else None
        fitting = [seen for seen in self.events if self._fits(seen, query, kinds)]
        cap = self.cap if self.smallest_page is None else self._random.randint(self.smallest_page, self.cap)
        page = self._chosen(fitting, min(cap, query.limit))
        whole = len(page) == len(fitting)
        if self.withholds:
            page = [seen for seen in page if seen.kind not in WITHHELD_KINDS]
        page = [seen for seen in page if seen.id not in self.forgets or seen.id not in self._shown]
        self._shown |= {seen.id for seen in page}
        eose = self.eose and self._random.random() >= self.breaks
        if self.eose and not eose:
            page = page[: self._random.randint(0, len(page))]
        self.given += len(page)
        return page, whole, eose

    def _chosen(self, fitting: list[Seen], most: int) -> list[Seen]:
        if self.order in ("any", "any_sorted"):
            page = self._random.sample(fitting, min(most, len(fitting)))
            return sorted(page, key=lambda seen: -seen.at) if self.order == "any_sorted" else page
        if self.ties == "by_id":
            fitting.sort(key=lambda seen: seen.id)
        elif self.ties == "random":
            self._random.shuffle(fitting)
        fitting.sort(key=lambda seen: seen.at, reverse=not self.order.startswith("oldest"))
        page = fitting[:most]
        if self.order in ("newest_ascending", "oldest_descending"):
            page.reverse()
        elif self.order == "newest_shuffled":
            self._random.shuffle(page)
        return page

    def _fits(self, seen: Seen, query: Query, kinds: frozenset[int] | None) -> bool:
        if query.since is not None and seen.at < query.since and not self.ignores_since:
            return False
        if kinds is not None and (seen.kind not in kinds or len(kinds) > self.most_kinds):
            return False
        if query.authors is not None and seen.author not in query.authors:
            return False
        return query.until is None or (seen.at < query.until if self.exclusive_until else seen.at <= query.until)


@dataclass
class Crawled:
    """What a whole crawl brought: the last word about each second counts."""

    ids: set[str] = field(default_factory=set)
    read: list[Range] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def open(self) -> list[Range]:
        """Seconds in gaps."""
        return merge((gap.since, gap.until) for gap in self.gaps)


def crawl(
    relay: SimulatedRelay,
    ranges: list[Range],
    behavior: RelayBehavior | None = None,
    base: Filter | None = None,
    *,
    known_filters: RelayKnownFilters | None = None,
    most_queries: int = 20_000,
) -> Crawled:
    """Crawl until the planner has nothing more to ask."""
    planner = Planner(ranges, behavior or RelayBehavior(limit=500), base, known_filters)
    result = Crawled()
    for _ in range(most_queries):
        step = planner.step()
        if step is None:
            assert planner.position is None
            return result
        if isinstance(step, Difference):
            progress = planner.compared(whole=False)
        else:
            page = relay.answer(step)
            result.ids |= {seen.id for seen in page.events}
            progress = planner.feed(page)
        new_gaps = [(gap.since, gap.until) for gap in progress.gaps]
        result.read = merge([*subtract(result.read, new_gaps), *progress.read])
        result.gaps = [
            Gap(since, until, gap.reason)
            for gap in [*result.gaps, *progress.gaps]
            for since, until in subtract([(gap.since, gap.until)], progress.read)
        ]
    raise AssertionError(f"the crawl did not end within {most_queries} queries")
