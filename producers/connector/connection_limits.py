"""Who is connected to: so many relays in all, few of a host, so many of an overlay network, priority relays first.

A regular relay has a live feed as long as there is room. Where there is not, the one that was read longest ago gets the
next place, and one that is read and was live for a while gives its own away: one for each that waits, and only where
that helps it. For a priority relay one does so at once, read or not.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from core.flag import Flag
from core.tasks import first_of
from producers.connector.lanes import PRIORITY, PRIORITY_SHARE
from producers.relay_client.refusals import HOUR_S
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, RelayUrl

HOST_CONNECTIONS = 2
"""To one host at once, whatever URLs name it: browsers' clients open one, and bans are by address."""
VISIT_S = 600.0
"""A regular relay that is read and has been live for so long gives its place to one that waits."""
LONGEST_VISIT_S = HOUR_S
"""One that is still being read does so too: stored events without end must not keep a place without limit."""
_REGULAR = "regular"


@dataclass(slots=True, eq=False)
class Place:
    """A relay's place, or its wait for one.

    Attributes:
        lane: of the relay's record.
        network: how the relay is reached.
        host: that it is counted for; None: the operator's own, which may all be on his machine.
        read_until_s: up to when the relay is read, Unix seconds; 0: never.
        given: set once it has the place.
        wanted: set once another is to have it.
        asked_for_it: which other was asked to go for this one, while it waits.
    """

    lane: str
    network: Network
    host: str | None
    read_until_s: Callable[[], float]
    given: Flag = field(default_factory=Flag)
    wanted: Flag = field(default_factory=Flag)
    asked_for_it: Place | None = None


class ConnectionLimits:
    """Gives places to relays. Those that ask in one turn of the event loop are compared with each other."""

    def __init__(
        self,
        connections: int,
        networks: Mapping[Network, int] | None = None,
        *,
        priority_share: float = PRIORITY_SHARE,
        visit_s: float = VISIT_S,
        longest_visit_s: float = LONGEST_VISIT_S,
    ) -> None:
        """Divide places.

        Args:
            connections: all of them. Those of regular relays are fewer by what is kept for priority relays.
            networks: the most of a network; the others have no bound of their own.
            priority_share: so much of them is kept for priority relays.
            visit_s: for so long a regular relay keeps its place once it is connected.
            longest_visit_s: for so long if it is not read before.
        """
        self._visit_s = visit_s
        self._longest_visit_s = longest_visit_s
        self._kept = max(1, int(connections * priority_share))
        self._most = self._kept + max(1, connections - self._kept)
        self._most_of = dict(networks or {})
        self._held: set[Place] = set()
        # By lane, network and host: no host that is counted has a name without a dot or a colon.
        self._used: Counter[str] = Counter()
        self._waiting: dict[Place, None] = {}
        # Held by relays that are read and may go, in the order in which that began.
        self._rested: dict[Place, None] = {}
        self._asked = 0
        self._settling: asyncio.Handle | None = None

    @property
    def waiting(self) -> int:
        """Relays that wait for a place."""
        return len(self._waiting)

    @asynccontextmanager
    async def place(
        self, record: RelayRecord, url: RelayUrl, read_until_s: Callable[[], float] = lambda: 0.0
    ) -> AsyncIterator[Place]:
        """Wait for a place, and hold it. `read_until_s`: up to when the relay is read, Unix seconds; 0: never."""
        host = None if record.allow_private else url.host
        place = Place(record.lane, url.network, host, read_until_s)
        self._waiting[place] = None
        self._settle_soon()
        try:
            await place.given.wait()
            yield place
        finally:
            self._waiting.pop(place, None)
            if place in self._held:
                self._release(place)

    async def turn(self, place: Place, finished: Flag) -> None:
        """Return when a relay that waits should have this place; a priority relay's, never.

        Args:
            place: one that is held.
            finished: set while all of its relay is read.
        """
        if place.lane == PRIORITY:
            await Flag().wait()
        await first_of(place.wanted, timeout_s=self._visit_s)
        await first_of(place.wanted, finished, timeout_s=self._longest_visit_s - self._visit_s)
        if not place.wanted.is_set():
            self._rested[place] = None
            self._settle_soon()
            await place.wanted.wait()

    def _release(self, place: Place) -> None:
        self._held.remove(place)
        self._rested.pop(place, None)
        self._asked -= place.wanted.is_set()
        for bound in _bounds(place):
            self._used[bound] -= 1
            if not self._used[bound]:
                # A host is forgotten with its last relay.
                del self._used[bound]
        self._settle_soon()

    def _settle_soon(self) -> None:
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        """Give places that are free, and ask for others."""
        self._settling = None
        for place in sorted(self._waiting, key=_order):
            if self._fits(place):
                self._give(place)
        # What one of these cannot have, others that lack the same cannot have either.
        hopeless: set[tuple[str | None, ...]] = set()
        for place in sorted(self._waiting, key=_order):
            if self._asked >= len(self._waiting):
                return
            if place.asked_for_it in self._held:
                continue
            lacks = (place.lane, place.network, place.host if place.host in self._used else None)
            if lacks in hopeless:
                continue
            holder = next((holder for holder in self._holders(place) if self._fits(place, without=holder)), None)
            if holder is None:
                hopeless.add(lacks)
            else:
                self._rested.pop(holder, None)
                self._asked += 1
                place.asked_for_it = holder
                holder.wanted.set()

    def _holders(self, place: Place) -> Iterator[Place]:
        """Who may be asked for a place: for a priority relay, after those that rest, the ones that are least behind."""
        yield from self._rested
        if place.lane == PRIORITY:
            others = [held for held in self._held if held.lane != PRIORITY and not held.wanted.is_set()]
            yield from sorted(others, key=lambda held: held.read_until_s(), reverse=True)

    def _give(self, place: Place) -> None:
        del self._waiting[place]
        self._held.add(place)
        self._used.update(_bounds(place))
        place.given.set()

    def _fits(self, place: Place, without: Place | None = None) -> bool:
        """Whether a place is free for a relay, or would be without a regular relay's that is held."""
        gone = _bounds(without) if without is not None else ()

        def used(bound: str) -> int:
            return self._used[bound] - (bound in gone)

        if place.host is not None and used(place.host) >= HOST_CONNECTIONS:
            return False
        if used(place.network) >= self._most_of.get(place.network, self._most):
            return False
        priority, regular = used(PRIORITY), used(_REGULAR)
        most = self._most if place.lane == PRIORITY else self._most - max(0, self._kept - priority)
        return priority + regular < most


def _bounds(place: Place) -> tuple[str, ...]:
    """What a place counts for."""
    return (place.lane, place.network) if place.host is None else (place.lane, place.network, place.host)


def _order(place: Place) -> tuple[bool, float]:
    return place.lane != PRIORITY, place.read_until_s()
