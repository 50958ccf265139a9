"""One page of stored events: a question, and what answers it, also late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from core.flag import Flag
from producers.relay_client.loop_clock import GRAIN_S, loop_s
from producers.relay_client.page import BEGINNING, FOREVER, Page, Seen
from producers.relay_client.subscriptions import Subscription
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Closed
from schemas.records.coverage import GapReason

FLOOD_FACTOR = 10
LEAST_FLOOD = 5000
"""A page with more events, and more than so many times its limit, is a flood: the relay ignores filter or `limit`."""
RELEASED_S = 60.0
"""For so long events may follow a question that was closed: proxies ask their upstreams meanwhile."""
LEAST_RELEASED = 500
"""Or its limit, if that is larger: so many are taken then. A relay that is being filled goes on to send what it stores
until it has read the CLOSE, which were 60 of a small question beside some thousand a second."""

_PAST = Flag()
_PAST.set()
"""Of all questions that were closed."""
_NO_EVENTS: dict[str, Seen] = {}
_NO_IDS: frozenset[str] = frozenset()
"""An empty set of its own takes 0.2 KB, and of twenty questions a relay nearly none has anything that came late."""


def silent_since(since_s: float) -> float:
    """Seconds since a moment of the loop, where nothing is left in a socket."""
    return loop_s() - since_s


class PageSubscription(Subscription):
    """One page of stored events: a question, and what answers it, also late."""

    __slots__ = (
        *(
            "asked_at_s",
            "_late",
            "taken_late",
            "disturbed",
            "late_gap_s",
            "_silent_s",
            "_seen",
            "_limit",
            "_older",
            "_last_s",
        ),
        *("_at_eose", "_at_release", "_released_s"),
    )

    def __init__(self, subid: str, asked: Filter, silent_s: Callable[[float], float] = silent_since) -> None:
        """Collect the answer to a query; `silent_s` tells for how long the relay has been silent since a moment."""
        super().__init__(subid, asked)
        self._silent_s = silent_s
        self.asked_at_s = loop_s()
        self._seen: dict[str, Seen] = {}
        self._limit = asked.limit or 1
        self._older = 0
        self._last_s = 0.0
        self._at_eose = 0
        self._at_release = 0
        self._released_s: float | None = None
        self._late: set[str] | None = None
        self.taken_late: AbstractSet[str] = _NO_IDS
        """Of these, what was there when the answer was looked at, and was taken for part of it: a busy process looks
        later than such a relay is late."""
        self.disturbed = Flag()
        """Set when something came after EOSE, CLOSED included."""
        self.late_gap_s = 0.0
        """The longest silence, from EOSE on, that was followed by such an event."""

    def wants(self, fields: Mapping[str, Any], created_at: int) -> bool:
        """Whether a decoded event was asked for; those that only lie before `since` are counted.

        What is released wants about as much as it was asked for, and only for a while.
        """
        wanted = super().wants(fields, created_at)
        if self._released_s is not None:
            bound = self._at_release + max(self._limit, LEAST_RELEASED)
            return wanted and self.events < bound and loop_s() - self._released_s < RELEASED_S
        if not wanted and created_at < self._since and self._fits(fields):
            self._older += 1
        return wanted

    def take(self, created_at: int, event_id: str, fields: Mapping[str, Any]) -> None:
        """Keep what the next question depends on; an id that came already is counted only."""
        super().take(created_at, event_id, fields)
        if self.eose is not None and event_id not in self._seen:
            self.late_gap_s = max(self.late_gap_s, self._silent_s(self._last_s))
            self._last_s = loop_s()
            if self._late is None:
                self._late = set()
            self._late.add(event_id)
            self.disturbed.set()
        if self._released_s is not None:
            return
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

    def end(self, hints: frozenset[str]) -> None:
        """EOSE."""
        if self.eose is None:
            self._last_s = loop_s()
            self._at_eose = self.events
        super().end(hints)

    def refuse(self, refusal: Closed) -> None:
        """Refused by the relay, or ended."""
        super().refuse(refusal)
        self.disturbed.set()

    def forget_late(self) -> None:
        """What came after EOSE until now was taken for part of the answer, or looked at."""
        self.taken_late |= self.late
        self._late = None
        self.disturbed.clear()

    async def quiet_for(self, seconds: float) -> bool:
        """Wait for so much silence from now on; False if it is disturbed before. A pause of ours is no silence."""
        began_s, rest_s = loop_s(), seconds
        while True:
            try:
                async with asyncio.timeout(max(0.0, rest_s)):
                    await self.disturbed.wait()
            except TimeoutError:
                rest_s = seconds - self._silent_s(began_s)
                if rest_s <= GRAIN_S:
                    return True
            else:
                return False

    def release(self) -> None:
        """Only what comes late is of interest from now on."""
        self._seen, self.taken_late = _NO_EVENTS, _NO_IDS
        # Nothing waits for its end any more, and an event of its own takes 0.7 KB.
        self.answered = self.over = self.ended = _PAST
        self._at_release, self._released_s = self.events, loop_s()

    @property
    def late(self) -> AbstractSet[str]:
        """Ids of what came after EOSE."""
        return _NO_IDS if self._late is None else self._late

    @property
    def expired(self) -> bool:
        """Whether it was released so long ago that nothing is taken for it any more, and nothing came late."""
        return self._released_s is not None and not self.late and loop_s() - self._released_s >= RELEASED_S

    @property
    def since_last_s(self) -> float:
        """Seconds since EOSE, or since the last event that followed it."""
        return self._silent_s(self._last_s)

    @property
    def full(self) -> bool:
        """Whether the relay had given as much as it was asked for when it said EOSE."""
        return self._at_eose >= self._limit

    @property
    def flooded(self) -> bool:
        """Whether far more came than was asked for."""
        return self._released_s is None and self.events + self.misfits > max(FLOOD_FACTOR * self._limit, LEAST_FLOOD)

    @property
    def usable(self) -> bool:
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
        events = list(self._seen.values())
        if self.late:
            # Upstreams answer one after another, so the order of arrival is not the relay's. A trial shows what it is.
            events.sort(key=lambda seen: -seen.at)
        return Page(events, cut, self.eose or frozenset(), self.misfits, self._older, complaint)
