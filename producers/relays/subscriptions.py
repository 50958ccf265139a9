"""What a subscription asked for, and what came: the live feed and one page of stored events."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from producers.relays.messages import Closed
from producers.relays.pages import BEGINNING, FOREVER, Page, Seen
from schemas.coverage import GapReason
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
        self.identity: str | None = None
        """As which public key it was asked; None: as nobody."""
        self.eose: frozenset[str] | None = None
        self.closed: Closed | None = None
        self.ended = asyncio.Event()
        """Set at EOSE and at CLOSED."""

    def wants(self, fields: Mapping[str, Any], created_at: int) -> bool:
        """Whether a decoded event was asked for."""
        return self._since <= created_at <= self._until and (self._rest is None or self._rest.matches(fields))

    def take(self, created_at: int, event_id: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG002 - a page needs all
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
        self._seen: dict[str, Seen] = {}
        self._most = FLOOD_FACTOR * (asked.limit or 1)
        self._older = 0
        self._timeless = replace(asked, since=None, until=None) if _conditions(asked) else None

    def wants(self, fields: Mapping[str, Any], created_at: int) -> bool:
        """Whether a decoded event was asked for; those that only lie before `since` are counted."""
        wanted = super().wants(fields, created_at)
        if not wanted and created_at < self._since and (self._timeless is None or self._timeless.matches(fields)):
            self._older += 1
        return wanted

    def take(self, created_at: int, event_id: str, fields: Mapping[str, Any]) -> None:
        """Keep what the next question depends on; an id that came already is counted only."""
        self.events += 1
        kind, author = fields.get("kind"), fields.get("pubkey")
        self._seen.setdefault(
            event_id,
            Seen(
                min(max(created_at, BEGINNING), FOREVER),
                event_id,
                kind if type(kind) is int else -1,
                author if isinstance(author, str) else "",
            ),
        )

    @property
    def flooded(self) -> bool:
        """Whether far more came than was asked for."""
        return self.events + self.misfits > self._most

    @property
    def answered(self) -> bool:
        """Whether what came can be used. A CLOSED without a reason after EOSE only says that there will be no more."""
        if self.closed is not None and (self.eose is None or self.closed.prefix):
            return False
        return self.eose is not None or self.events + self.misfits > 0

    @property
    def ids(self) -> AbstractSet[str]:
        """Of all that came and was asked for."""
        return self._seen.keys()

    def page(self, *, complaint: bool = False) -> Page:
        """What came so far; `complaint`: a notice came meanwhile that tells of a fault."""
        cut = None
        if self.eose is None:
            cut = GapReason.NO_EOSE if self.closed is None else GapReason.CLOSED
        return Page(list(self._seen.values()), cut, self.eose or frozenset(), self.misfits, self._older, complaint)


def _conditions(asked: Filter) -> bool:
    return bool(asked.ids or asked.authors or asked.kinds or asked.tags)
