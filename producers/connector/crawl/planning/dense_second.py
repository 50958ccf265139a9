"""Reads one second that holds more events than a page: split by kind, then by author; tells whether it is complete.

NIP-01 knows no `not`, so what kinds there are besides the known ones is asked for by naming all others, some thousand
at a time. Each such list ends with a kind of which all events are known: if these do not come, the relay has cut the
list off or not understood it, and its answer proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from producers.connector.crawl.planning.steps import Query
from producers.connector.known_filters import MOST_AUTHORS, WITHHELD_KINDS, RelayKnownFilters, is_author
from producers.connector.relay_behavior import MOST_KINDS_ASKED, RelayBehavior
from producers.relay_client.page import FOREVER, Page, Seen
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import MAX_KIND

MOST_QUERIES = 400
"""For one second: enough for 5,000 events in pages of 50, split in halves."""
MOST_REFUSALS = 2
"""Of such questions, in one second; more would be refused as well."""

Part = TypeVar("Part")


class _Node(NamedTuple):
    """A question: these kinds, by these authors (None: by all)."""

    kinds: tuple[int, ...]
    authors: tuple[str, ...] | None = None
    control: int | None = None


class DenseSecond:
    """Ask `query`, feed the page, until None; then `complete` says whether all of the second was seen."""

    def __init__(
        self,
        second: int,
        shown: Iterable[Seen],
        base: Filter,
        known_filters: RelayKnownFilters,
        behavior: RelayBehavior,
    ) -> None:
        """Begin with events of the second that pages have shown."""
        self.second = second
        self.queries = 0
        self._base = base
        self._known_filters = known_filters
        self._behavior = behavior
        self._kinds: Counter[int] = Counter()
        self._authors: dict[str, None] = {}
        self._learn(shown)
        self._asked_kinds: set[int] = set()
        self._asked_authors: dict[int, set[str]] = {}
        self._control: tuple[int, frozenset[str]] | None = None
        self._refusals = 0
        self._unread = False
        self._swept = base.kinds is not None
        self._nodes: list[_Node] = []
        self._begin()

    @property
    def complete(self) -> bool:
        """Whether every event of the second that the filter asks for was seen. Meant for when `query` is None."""
        return not self._unread and self._swept

    def query(self) -> Query | None:
        """What to ask next; None when there is nothing that could bring more."""
        if self.queries >= MOST_QUERIES:
            self._stop()
        if not self._nodes and self._refusals < MOST_REFUSALS:
            self._plan()
        if not self._nodes:
            return None
        node = self._nodes[-1]
        until = self.second if self._behavior.exclusive_until is False else min(self.second + 1, FOREVER)
        since = None if self._behavior.ignores_since else self.second
        return Query(since, until, self._behavior.limit, node.kinds, node.authors)

    def feed(self, page: Page) -> None:
        """Take in the page that answers `query`."""
        self.queries += 1
        events = [seen for seen in page.events if seen.at == self.second]
        self._learn(events)
        if self._behavior.exclusive_until is None and any(seen.at > self.second for seen in page.events):
            # The one second more is not needed here, and may have filled the page.
            self._behavior.exclusive_until = False
            return
        node = self._nodes.pop()
        if page.misfits > page.older:
            # It does not heed kinds or authors: no question can separate these events.
            self._stop()
            return
        below = self._behavior.trusted() and any(seen.at < self.second for seen in page.events)
        full = not page.finished and not below and self._behavior.fills_a_page(len(page.events))
        if page.cut is not None or "more" in page.hints or (page.complaint and not events):
            self._unread = True
            full = bool(events)
        if full:
            self._split(node)
        elif node.control is not None:
            self._judge_sweep(events)
        elif node.authors is None:
            self._note_control(events)

    def refused(self) -> None:
        """The relay does not answer this question."""
        node = self._nodes.pop()
        self._refusals += 1
        if len(node.kinds) > MOST_KINDS_ASKED:
            self._behavior.long_lists = False
        if len(node.kinds) > MOST_KINDS_ASKED or self._refusals >= MOST_REFUSALS:
            self._stop()
        self._unread = True

    def connection_lost(self) -> None:
        """The connection ended while a question was open: a relay that closes on long messages is not sent another."""
        if self._nodes and len(self._nodes[-1].kinds) > MOST_KINDS_ASKED:
            self._behavior.long_lists = False
            self._stop()

    def _begin(self) -> None:
        base = self._base.kinds
        seen = [kind for kind, _ in self._kinds.most_common() if base is None or kind in base]
        others = base if base is not None else self._known_filters.kinds()
        others = tuple(kind for kind in others if kind not in self._kinds)
        self._ask_kinds(kind for kind in WITHHELD_KINDS if self._wanted(kind))
        self._nodes += [_Node(part) for part in _parts(_without_withheld(others), self._behavior.most_kinds)]
        # The second as a whole fills a page: these are asked for in halves at once.
        self._nodes += [_Node(part) for part in _halves(_without_withheld(seen))]
        self._asked_kinds.update(seen, others)

    def _plan(self) -> None:
        """When all was asked: by authors of kinds that fill a page, for kinds just met, and for unknown kinds."""
        self._ask_kinds(kind for kind in self._kinds if kind not in self._asked_kinds and self._wanted(kind))
        for kind, asked in self._asked_authors.items():
            authors = self._base.authors or (*self._authors, *self._known_filters.authors())
            fresh = tuple(author for author in dict.fromkeys(authors) if author not in asked)
            asked.update(fresh)
            self._nodes += [_Node((kind,), part) for part in reversed(_parts(fresh, self._behavior.most_ids))]
        if not self._nodes and not self._swept:
            self._sweep()

    def _ask_kinds(self, kinds: Iterable[int]) -> None:
        for kind in kinds:
            self._asked_kinds.add(kind)
            self._nodes.append(_Node((kind,)))

    def _wanted(self, kind: int) -> bool:
        return self._base.kinds is None or kind in self._base.kinds

    def _sweep(self) -> None:
        self._swept = True
        # Without a kind to tell by, what comes is welcome, and what does not come proves nothing.
        self._unread = self._unread or self._control is None or self._behavior.long_lists is False
        if self._behavior.long_lists is False:
            return
        # What is withheld has been asked for by itself; among others it would fill pages invisibly.
        unknown = sorted(set(range(MAX_KIND + 1)) - self._asked_kinds - set(WITHHELD_KINDS))
        control = self._control[0] if self._control is not None else None
        last = () if control is None else (control,)
        self._nodes = [
            _Node((*part, *last), control=control) for part in reversed(_parts(unknown, self._behavior.longest_list))
        ]

    def _judge_sweep(self, events: Sequence[Seen]) -> None:
        known = self._control[1] if self._control is not None else frozenset()
        self._behavior.long_lists = known <= {seen.id for seen in events}
        # Kinds that the page showed are all on it.
        self._asked_kinds.update(seen.kind for seen in events)
        if not self._behavior.long_lists:
            self._stop()

    def _note_control(self, events: Iterable[Seen]) -> None:
        """Keep the kind with the fewest events of those that a page showed completely."""
        by_kind: dict[int, set[str]] = {}
        for seen in events:
            by_kind.setdefault(seen.kind, set()).add(seen.id)
        for kind, ids in by_kind.items():
            if kind not in WITHHELD_KINDS and (self._control is None or len(ids) < len(self._control[1])):
                self._control = kind, frozenset(ids)

    def _split(self, node: _Node) -> None:
        if node.authors is not None and len(node.authors) > 1:
            self._nodes += [node._replace(authors=half) for half in _halves(node.authors)]
        elif node.control is not None:
            kinds = node.kinds[:-1]
            halves = _halves(kinds) if len(kinds) > 1 else []
            self._nodes += [node._replace(kinds=(*half, node.control)) for half in halves]
            if not halves:
                self._ask_kinds(kinds)
        elif len(node.kinds) > 1:
            self._nodes += [_Node(half) for half in _halves(node.kinds)]
        elif node.authors is None:
            self._asked_authors.setdefault(node.kinds[0], set())
            # All authors are only known if the filter names them.
            self._unread = self._unread or self._base.authors is None
        else:
            self._unread = True

    def _stop(self) -> None:
        self._unread = True
        self._refusals = MOST_REFUSALS
        self._nodes.clear()

    def _learn(self, events: Iterable[Seen]) -> None:
        for seen in events:
            if 0 <= seen.kind <= MAX_KIND:
                self._kinds[seen.kind] += 1
            if len(self._authors) < MOST_AUTHORS and is_author(seen.author):
                self._authors[seen.author] = None


def _without_withheld(kinds: Iterable[int]) -> list[int]:
    return [kind for kind in kinds if kind not in WITHHELD_KINDS]


def _halves(parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """Two halves, the first of which is asked for first; one, where there is no more than one."""
    middle = (len(parts) + 1) // 2
    return [tuple(half) for half in (parts[middle:], parts[:middle]) if half]


def _parts(items: Sequence[Part], size: int) -> list[tuple[Part, ...]]:
    return [tuple(items[at : at + size]) for at in range(0, len(items), size)]
