"""An open REQ: what it asked for, and how the relay answered. A page of stored events is one: `page_subscription`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from core.flag import Flag
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Closed

_KIND_SETS = 16
"""Lists of kinds that are remembered, which thousands of relays are asked for: 32 KiB for all known kinds, and half a
mebibyte for 8,192."""


class Subscription:
    """An open REQ. Knows whether an event was asked for, and how the relay ended it."""

    # Some twenty closed questions are kept for each relay, of thousands.
    __slots__ = (
        *("subid", "asked", "events", "misfits", "session", "challenges", "identity", "eose", "eoses", "closed"),
        *("ended_by_relay", "answered", "over", "ended", "_since", "_until", "_kinds", "_rest", "_plain"),
        "__weakref__",
    )

    def __init__(self, subid: str, asked: Filter) -> None:
        """Bind a subscription id to what is asked under it."""
        self.subid = subid
        self.asked = asked
        self._since = asked.since if asked.since is not None else -math.inf
        self._until = asked.until if asked.until is not None else math.inf
        # Lists of thousands of kinds are asked for, and a tuple is searched from its beginning.
        self._kinds = _kind_set(asked.kinds) if asked.kinds is not None else None
        rest = replace(asked, kinds=None)
        self._rest = replace(rest, since=None, until=None) if _conditions(rest) else None
        self._plain = self._kinds is None and self._rest is None
        self.events = 0
        self.misfits = 0
        self.session = 0
        """How often AUTH had been answered on the connection when this was asked."""
        self.challenges = 0
        """How many challenges had come by then."""
        self.identity: str | None = None
        """As which public key it was asked; None: without AUTH."""
        self.eose: frozenset[str] | None = None
        self.eoses = 0
        """How often the relay has said so."""
        self.closed: Closed | None = None
        self.ended_by_relay = False
        """Whether the relay knows it no more."""
        self.answered = Flag()
        """Set at the first event, at EOSE and at CLOSED."""
        self.over = Flag()
        """Set at CLOSED."""
        self.ended = Flag()
        """Set at EOSE and at CLOSED."""

    def wants(self, fields: Mapping[str, Any], created_at: int) -> bool:
        """Whether a decoded event was asked for."""
        return self._since <= created_at <= self._until and (self._plain or self._fits(fields))

    def take(self, created_at: int, event_id: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG002 - a page needs all
        """Count an event that was asked for."""
        if not self.events:
            self.answered.set()
        self.events += 1

    @property
    def flooded(self) -> bool:
        """Whether far more came than was asked for."""
        return False

    def end(self, hints: frozenset[str]) -> None:
        """EOSE."""
        self.eoses += 1
        self.eose = hints
        self.answered.set()
        self.ended.set()

    def close(self, closed: Closed) -> None:
        """CLOSED by the relay."""
        self.ended_by_relay = True
        self.refuse(closed)

    def refuse(self, refusal: Closed) -> None:
        """Refused by the relay in another way that names this subscription."""
        self.closed = refusal
        self.answered.set()
        self.ended.set()
        self.over.set()

    def _fits(self, fields: Mapping[str, Any]) -> bool:
        return (self._kinds is None or _in(fields.get("kind"), self._kinds)) and (
            self._rest is None or self._rest.matches(fields)
        )


@lru_cache(maxsize=_KIND_SETS)
def _kind_set(kinds: tuple[int, ...]) -> frozenset[int]:
    return frozenset(kinds)


def _conditions(asked: Filter) -> bool:
    return bool(asked.ids or asked.authors or asked.tags)


def _in(kind: object, kinds: frozenset[int]) -> bool:
    # A kind may be any JSON value; lists and objects cannot be looked up.
    return isinstance(kind, int | float) and kind in kinds
