"""A relay in memory at the other end of a connection: it speaks NIP-01 in frames, with any mix of odd habits.

Which events a page has is `SimulatedRelay`'s; how questions are refused, held, delayed or cut off is told here. It
keeps an account of what it has given.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import orjson

from core.clock import CLOCK
from producers.connector.crawl.planning.steps import Query
from producers.relay_client.connection import Backpressure
from producers.relay_client.page import Seen
from producers.relay_client.page_subscription import silent_since
from producers.relay_client.refusals import RelayError
from producers.relay_client.stream.cutting import Receiver
from producers.relay_client.unasked import Charge
from tests.unit.producers.connector.simulated import SimulatedRelay

Way = Literal["closed", "notice"]


@dataclass
class Habits:
    """What is odd about a relay; nothing, by default.

    Attributes:
        late_s: stored events come so long after EOSE; None: before it.
        late_share: so many of them, the others before it.
        heeds_close: nothing comes after CLOSE.
        auth: how it demands AUTH; None: not at all.
        session_s: for so long an AUTH holds.
        bare: how a filter without kinds is refused; None: it is not.
        kinds: so many kinds it takes in a filter.
        kinds_refused: how more of them are refused; None: the rest of a list is not looked at, without a word.
        cut_events: the connection ends after so many events.
        cut_s: or after so many seconds.
        limit: the largest `limit` that it takes.
        limit_words: how it says so, with the number as `%d` or without.
        ignores_limit: it sends all that fits.
        rate: so many REQs in so many seconds.
        rate_words: what it says beyond that.
        rate_way: and how.
        subscriptions: so many may be open at once.
        subscriptions_way: how more of them are refused.
    """

    late_s: float | None = None
    late_share: float = 1.0
    heeds_close: bool = True
    auth: Literal["closed", "notice", "ok", "silence"] | None = None
    session_s: float | None = None
    bare: Way | None = None
    kinds: int | None = None
    kinds_refused: Way | None = None
    cut_events: int | None = None
    cut_s: float | None = None
    limit: int | None = None
    limit_words: str = "invalid: limitation.max_limit %d"
    ignores_limit: bool = False
    rate: tuple[int, float] | None = None
    rate_words: str = "rate-limited: slow down"
    rate_way: Way = "closed"
    subscriptions: int | None = None
    subscriptions_way: Way = "closed"


@dataclass
class Peer:
    """A relay with such habits, over all of its connections.

    Attributes:
        store: what it has, and which of it a page shows.
        habits: how it behaves.
        given: ids that were delivered.
        asked: REQs of pages that it has received.
        refused: those of them that it did not answer.
    """

    store: SimulatedRelay
    habits: Habits = field(default_factory=Habits)
    given: set[str] = field(default_factory=set)
    asked: int = 0
    refused: int = 0
    _times: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._random = random.Random(self.store.seed)
        self._frames = {seen.id: _frame(seen) for seen in self.store.events}

    def connect(self) -> PeerConnection:
        """A new connection to it."""
        return PeerConnection(self)

    def fits_the_rate(self) -> bool:
        """Count a REQ; whether it is one too many."""
        if self.habits.rate is None:
            return True
        most, seconds = self.habits.rate
        now_s = asyncio.get_running_loop().time()
        while self._times and now_s - self._times[0] >= seconds:
            self._times.popleft()
        if len(self._times) >= most:
            return False
        self._times.append(now_s)
        return True

    def page(self, wanted: dict[str, Any]) -> tuple[list[Seen], list[str] | None]:
        """What it shows for a filter, and the hints of its EOSE; None: it says none."""
        kinds = wanted.get("kinds")
        if kinds is not None and self.habits.kinds is not None:
            kinds = kinds[: self.habits.kinds]
        limit = 10**9 if self.habits.ignores_limit else wanted["limit"]
        authors = tuple(wanted["authors"]) if "authors" in wanted else None
        query = Query(wanted.get("since"), wanted.get("until"), limit, None if kinds is None else tuple(kinds), authors)
        events, whole, eose = self.store.sent(query)
        self.store.queries.clear()  # some name thousands of kinds, and there may be a million
        hints = ["finish" if whole else "more"] if self.store.hints else []
        return events, hints if eose else None

    def split(self, events: list[Seen]) -> tuple[list[Seen], list[Seen]]:
        """Which of a page come in time, and which late."""
        if self.habits.late_s is None:
            return events, []
        late = [self._random.random() < self.habits.late_share for _ in events]
        return [seen for seen, is_late in zip(events, late, strict=True) if not is_late], [
            seen for seen, is_late in zip(events, late, strict=True) if is_late
        ]

    def frame(self, subid: str, seen: Seen) -> bytes:
        """An EVENT message."""
        return b'["EVENT","%b",%b]' % (subid.encode(), self._frames[seen.id])


class PeerConnection:
    """One connection; to a client it is what `RelayConnection` is."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.paused = False
        self.complete_until_s = 0.0
        self._habits = peer.habits
        self._receiver: Receiver | None = None
        self._early: list[bytes] = []
        self._ended = asyncio.Event()
        self._error = RelayError("disconnected", "the connection ended")
        self._open: set[str] = set()
        self._held: list[tuple[str, dict[str, Any]]] = []
        self._sent = 0
        self._signed_in_s: float | None = None
        self._challenges = 0
        loop = asyncio.get_running_loop()
        self._loop = loop
        if self._habits.cut_s is not None:
            loop.call_later(self._habits.cut_s, self._end)
        if self._habits.auth is not None:
            loop.call_soon(self._challenge)

    silent_s = staticmethod(silent_since)

    @property
    def heard_s(self) -> float:
        """Now, as what it says is heard at once."""
        return CLOCK.now_s()

    async def read(self, receiver: Receiver, backpressure: Backpressure, charge: Charge, turns: object) -> NoReturn:
        """Hand on every frame until the end."""
        self._receiver = receiver
        for frame in self._early:
            self._say(frame)
        await self._ended.wait()
        raise self._error

    async def keep_alive(self) -> None:
        """Nothing to do."""
        await self._ended.wait()
        raise self._error

    async def send(self, message: bytes) -> None:
        """Take a message of the client."""
        if self._ended.is_set():
            raise self._error
        # The answer comes in a later turn, as from a socket.
        self._loop.call_soon(self._hear, orjson.loads(message))

    def _hear(self, message: list[Any]) -> None:
        if self._ended.is_set():
            return
        match message:
            case ["REQ", str(subid), dict(wanted)]:
                self._req(subid, wanted)
            case ["CLOSE", str(subid)]:
                self._open.discard(subid)
                self._held = [held for held in self._held if held[0] != subid]
            case ["AUTH", dict(event)]:
                self._signed_in_s = self._loop.time()
                self._say(orjson.dumps(["OK", event["id"], True, ""]))
                held, self._held = self._held, []
                for subid, wanted in held:
                    self._answer(subid, wanted)
                if self._habits.session_s is not None:
                    self._loop.call_later(self._habits.session_s, self._expire)

    def _req(self, subid: str, wanted: dict[str, Any]) -> None:
        peer, habits = self.peer, self._habits
        peer.asked += subid.startswith("page")
        words = self._objection(subid, wanted)
        if words is None:
            self._open.add(subid)
            self._answer(subid, wanted)
            return
        peer.refused += subid.startswith("page")
        way, text = words
        match way:
            case "held":
                self._open.add(subid)
                self._held.append((subid, wanted))
            case "notice":
                self._say(orjson.dumps(["NOTICE", text]))
            case "ok":
                self._say(orjson.dumps(["OK", subid, False, text]))
            case _:
                self._say(orjson.dumps(["CLOSED", subid, text]))
        assert habits is peer.habits

    def _objection(self, subid: str, wanted: dict[str, Any]) -> tuple[str, str] | None:
        """How a REQ is refused, and in which words; None if it is not."""
        habits, kinds = self._habits, wanted.get("kinds")
        if not self.peer.fits_the_rate():
            return habits.rate_way, habits.rate_words
        if habits.auth is not None and self._signed_in_s is None:
            way = "held" if habits.auth == "silence" else habits.auth
            return way, "auth-required: please sign in"
        if habits.subscriptions is not None and len(self._open - {subid}) >= habits.subscriptions:
            return habits.subscriptions_way, "ERROR: too many concurrent REQs"
        if habits.bare is not None and kinds is None:
            return habits.bare, "blocked: can't handle empty filters"
        if kinds is not None and habits.kinds is not None and habits.kinds_refused and len(kinds) > habits.kinds:
            return habits.kinds_refused, "error: too many kinds in a filter"
        if habits.limit is not None and wanted["limit"] > habits.limit:
            words = habits.limit_words
            return "closed", words % habits.limit if "%d" in words else words
        return None

    def _answer(self, subid: str, wanted: dict[str, Any]) -> None:
        events, hints = self.peer.page(wanted)
        prompt, late = self.peer.split(events)
        for seen in prompt:
            if not self._give(subid, seen):
                return
        if hints is not None:
            self._say(orjson.dumps(["EOSE", subid, hints] if hints else ["EOSE", subid]))
        if late and self._habits.late_s is not None:
            self._loop.call_later(self._habits.late_s, self._give_late, subid, late)

    def _give_late(self, subid: str, late: list[Seen]) -> None:
        if self._habits.heeds_close and subid not in self._open:
            return
        for seen in late:
            if not self._give(subid, seen):
                return

    def _give(self, subid: str, seen: Seen) -> bool:
        """Send an event; False if the connection ends with it."""
        if self._ended.is_set():
            return False
        self._sent += 1
        if self._habits.cut_events is not None and self._sent > self._habits.cut_events:
            self._end()
            return False
        self.peer.given.add(seen.id)
        self._say(self.peer.frame(subid, seen))
        return not self._ended.is_set()

    def _challenge(self) -> None:
        self._challenges += 1
        self._say(orjson.dumps(["AUTH", f"challenge-{self._challenges}"]))

    def _expire(self) -> None:
        self._signed_in_s = None
        self._challenge()
        for subid in sorted(self._open):
            self._say(orjson.dumps(["CLOSED", subid, "auth-required: session expired"]))
        self._open.clear()

    def _say(self, frame: bytes) -> None:
        if self._ended.is_set():
            return
        if self._receiver is None:
            self._early.append(frame)
            return
        try:
            self._receiver(frame)
        except RelayError as error:
            self._error = error
            self._end()

    def _end(self) -> None:
        self._ended.set()


def _frame(seen: Seen) -> bytes:
    return orjson.dumps({"id": seen.id, "pubkey": seen.author, "created_at": seen.at, "kind": seen.kind})
