"""What a subscription asked for, and what came: the live feed and one page of stored events."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from producers.relays.crawl import BEGINNING, Page
from producers.relays.messages import Closed
from schemas.filters import Filter

FLOOD_FACTOR = 10
"""A page with more than so many times its limit is a flood (nostr-facts section 11, rule 8)."""


class Subscription:
    """An open REQ. Knows whether an event was asked for, and how the relay ended it."""

    def __init__(self, subid: str, asked: Filter) -> None:
        """Bind a subscription id to what is asked under it."""
        self.subid = subid
        self.asked = asked
        self._since = asked.since if asked.since is not None else -math.inf
        self._until = asked.until if asked.until is not None else math.inf
        # Bounds are compared here; most filters ask for nothing else.
        self._rest = None if not _conditions(asked) else asked
        self.events = 0
        self.misfits = 0
        self.authenticated = False
        """Whether AUTH had been answered when this was asked."""
        self.eose: frozenset[str] | None = None
        self.closed: Closed | None = None
        self.ended = asyncio.Event()
        """Set at EOSE and at CLOSED."""

    def wants(self, fields: Mapping[str, Any], created_at: int) -> bool:
        """Whether a decoded event was asked for."""
        return self._since <= created_at <= self._until and (self._rest is None or self._rest.matches(fields))

    def take(self, created_at: int, event_id: str) -> None:  # noqa: ARG002 - a page needs both
        """Count an event that was asked for."""
        self.events += 1

    @property
    def flooded(self) -> bool:
        """Whether far more came than was asked for."""
        return False

    def end(self, hints: frozenset[str]) -> None:
        """EOSE."""
        self.eose = hints
        self.ended.set()

    def close(self, closed: Closed) -> None:
        """CLOSED by the relay."""
        self.closed = closed
        self.ended.set()


class PageSubscription(Subscription):
    """One page of stored events."""

    def __init__(self, subid: str, asked: Filter) -> None:
        """Collect the answer to a query."""
        super().__init__(subid, asked)
        self._seen: dict[str, int] = {}
        self._most = FLOOD_FACTOR * (asked.limit or 1)

    def take(self, created_at: int, event_id: str) -> None:
        """Keep when and which; an id that came already is counted only."""
        self.events += 1
        self._seen.setdefault(event_id, created_at)

    @property
    def flooded(self) -> bool:
        """Whether far more came than was asked for."""
        return self.events + self.misfits > self._most

    @property
    def answered(self) -> bool:
        """Whether what came can be used. A CLOSED without a reason after EOSE only says that there will be no more."""
        if self.closed is not None:
            return self.eose is not None and not self.closed.prefix
        return self.eose is not None or self.events + self.misfits > 0

    def page(self, *, complete: bool) -> Page:
        """What came so far."""
        events = [(max(created_at, BEGINNING), event_id) for event_id, created_at in self._seen.items()]
        return Page(events, complete, self.eose or frozenset(), self.misfits)


def _conditions(asked: Filter) -> bool:
    return bool(asked.ids or asked.authors or asked.kinds or asked.tags)
