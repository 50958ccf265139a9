"""Reads a simulated relay to the end with everything that a session uses, and holds the ledger to what was given."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import SecretStr

from core.flag import Flag
from producers.bundler import Bundler
from producers.connector.conversation import Conversation
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.crawl.crawler import Crawler
from producers.connector.known_filters import REGISTERED_KINDS, WITHHELD_KINDS, KnownFilters
from producers.connector.live import BACKDATED_S
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.connector.reconnects import Reconnects
from producers.connector.relay_behavior import LONG_LIST
from producers.connector.relay_model import Model
from producers.rejecting import Rejections
from producers.relay_client.client import RelayClient
from producers.relay_client.connection import RelayConnection
from producers.relay_client.frames import FrameReader
from producers.relay_client.pace import Pace
from producers.relay_client.page import Seen
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.ranges import contains
from schemas.records.coverage import Coverage
from tests.unit.producers.connector.simulated import Order, SimulatedRelay, Ties
from tests.unit.producers.connector.simulated_peer import Habits, Peer, Way
from tests.unit.producers.connector.virtual_time import run_virtually

KEY = SecretStr("3" * 64)
EVERYTHING = Filter().filter_hash()
PAGE = 500
MOST_CONNECTIONS = 4_000
LIMIT_S = 40 * 3600.0
"""Of the relay's time: at one message a minute that is more than any of these relays needs."""
FIRST_S = 1_690_000_000
REGISTERED = (0, 1, 3, 7, 30_402, 10_002)
UNKNOWN = 54_321
FEW = 20
"""Events of a page, by which a relay that gives some in time and others late is found out."""


class Nowhere:
    """Takes what a relay sends, and keeps nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@dataclass(repr=False)  # asyncio shows what a task returns, which may be of a million questions
class Read:
    """What came of it."""

    peer: Peer
    coverage: Coverage
    connections: int
    finished: bool
    took_s: float

    @property
    def untrue(self) -> set[str]:
        """Ids that were never given although their second is called read."""
        false: set[str] = set()
        for each in self.coverage.sets:
            ranges = [(since, until) for since, until, _ in each.read]
            kinds = each.wire.get("kinds") if each.filter != EVERYTHING else None
            if each.filter != EVERYTHING and kinds is None:
                # A long list, which the record does not show: what all of them have read, the whole filter has.
                continue
            false |= {
                seen.id
                for seen in self.peer.store.events
                if seen.id in self.peer.store.visible
                and seen.id not in self.peer.given
                and (kinds is None or seen.kind in kinds)
                and contains(ranges, seen.at)
            }
        return false

    @property
    def lacking(self) -> set[str]:
        """Ids that it would have given, and that did not come."""
        return self.peer.store.visible - self.peer.given

    @property
    def pages(self) -> int:
        """Pages that hold what the relay has, as it gives them: a page holds one event that was on the one before."""
        habits, events = self.peer.habits, self.peer.store.events
        size = min(self.peer.store.cap, habits.limit or PAGE, (habits.cut_events or 2 * PAGE) // 2, PAGE)
        lists = Counter("all" if habits.bare is None else seen.kind for seen in events)
        named = math.ceil(len(REGISTERED_KINDS) / (habits.kinds or LONG_LIST)) if habits.bare is not None else 0
        return sum(math.ceil(count / max(1, size - 1)) for count in lists.values()) + 1 + named


class Reader:
    """What a session has for one relay, without its servers."""

    def __init__(self, auth_key: SecretStr | None) -> None:
        nowhere = Nowhere()
        self._auth_key = auth_key
        self._send_buffer = cast("SendBuffer", nowhere)
        budget = Budget(1 << 40, 1 << 40)
        self._frames = FrameReader(
            Intake("ws://relay.example", cast("Bundler", nowhere), cast("Rejections", nowhere), budget)
        )
        self.ledger = Ledger("ws://relay.example", {EVERYTHING: Filter()}, None, late_days=0)
        self._model, self.claims = Model(PAGE), Claims(self.ledger)
        self._known_filters = KnownFilters().of("relay.example")
        self.crawler = Crawler(self.ledger, self._model, self._known_filters, self.claims)
        self.pace = Pace()

    def converse(self, peer: Peer) -> Conversation:
        """Connect."""
        connection = cast("RelayConnection", peer.connect())
        client = RelayClient(
            "ws://relay.example", connection, self._frames, self._send_buffer, auth_key=self._auth_key, pace=self.pace
        )
        return Conversation(client, self.crawler, self._model, self.claims, self._known_filters, eose_timeout_s=30.0)


async def _read(peer: Peer, auth_key: SecretStr | None) -> Read:
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader = Reader(auth_key)
    crawler, claims, reconnects = reader.crawler, reader.claims, Reconnects(loop.time)
    connections = 0
    while connections < MOST_CONNECTIONS and not crawler.finished.is_set() and loop.time() - began < LIMIT_S:
        connections += 1
        progress, opened = claims.progress + crawler.advances, loop.time()
        await reader.pace.turn()
        reader.pace.answered()
        turn = _over(crawler.finished)
        talk = reader.converse(peer)
        ended = await talk.talk({EVERYTHING: Filter()}, turn, backdated_s=BACKDATED_S)
        if not crawler.finished.is_set():
            progressed = claims.progress + crawler.advances > progress
            await asyncio.sleep(reconnects.wait_s(ended, progress=progressed, lasted_s=loop.time() - opened))
    return Read(peer, reader.ledger.record(0), connections, crawler.finished.is_set(), loop.time() - began)


async def _over(finished: Flag) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            await finished.wait()


def read(peer: Peer, auth_key: SecretStr | None = KEY) -> Read:
    """Read a relay until nothing is left to be asked now."""
    return run_virtually(_read(peer, auth_key))


def random_store(rng: random.Random) -> SimulatedRelay:
    """Stored events of any density, and pages of any order."""
    span_s = 10 ** rng.uniform(1, 8)
    count = int(10 ** rng.uniform(0, 2.7))
    kinds = rng.choice([(1,), REGISTERED, (*REGISTERED, *WITHHELD_KINDS), (1, UNKNOWN)])
    events = [
        Seen(FIRST_S + int(rng.uniform(0, span_s)), f"{number:064x}", rng.choice(kinds), f"{number % 3:064x}")
        for number in range(count)
    ]
    orders: list[Order] = ["newest_first", "newest_first", "newest_first", "newest_first", "newest_ascending"]
    orders += ["newest_shuffled", "oldest_first", "any"]
    ties: list[Ties] = ["by_id", "by_arrival", "random"]
    return SimulatedRelay(
        events,
        cap=rng.choice([20, 50, 100, 500, 500]),
        order=rng.choice(orders),
        ties=rng.choice(ties),
        exclusive_until=rng.random() < 0.1,
        hints=rng.random() < 0.1,
        withholds=rng.random() < 0.15,
        ignores_since=rng.random() < 0.1,
        seed=rng.randrange(1 << 30),
    )


def random_habits(rng: random.Random) -> Habits:
    """One to three habits, of those that relays were reported to have."""
    habits = Habits()
    for habit in rng.sample(list(_HABITS), rng.choice([0, 1, 1, 2, 2, 3])):
        _HABITS[habit](rng, habits)
    return habits


def _late(rng: random.Random, habits: Habits) -> None:
    habits.late_s = rng.uniform(0.3, 6.0)
    habits.late_share = rng.choice([1.0, 1.0, 0.5])
    habits.heeds_close = rng.random() < 0.7


def _auth(rng: random.Random, habits: Habits) -> None:
    habits.auth = rng.choice(["closed", "notice", "ok", "silence"])
    habits.session_s = rng.choice([None, None, 25.0])


def _bare(rng: random.Random, habits: Habits) -> None:
    habits.bare = rng.choice(_WAYS)
    _lists(rng, habits)


def _lists(rng: random.Random, habits: Habits) -> None:
    habits.kinds = rng.choice([None, 20, 10, 3])
    habits.kinds_refused = rng.choice([None, *_WAYS])


def _cut(rng: random.Random, habits: Habits) -> None:
    habits.cut_events = rng.choice([30, 124, 700])


def _short(rng: random.Random, habits: Habits) -> None:
    habits.cut_s = rng.choice([3.0, 20.0])


def _limit(rng: random.Random, habits: Habits) -> None:
    habits.limit = rng.choice([2, 5, 10, 50, 300])
    habits.limit_words = rng.choice(["invalid: limitation.max_limit %d", "error: limit is too high"])


def _unlimited(rng: random.Random, habits: Habits) -> None:
    habits.ignores_limit = True


def _rate(rng: random.Random, habits: Habits) -> None:
    habits.rate, habits.rate_words = rng.choice(_RATES)
    habits.rate_way = rng.choice(_WAYS)


def _subscriptions(rng: random.Random, habits: Habits) -> None:
    habits.subscriptions = rng.choice([1, 1, 2])
    habits.subscriptions_way = rng.choice(_WAYS)


_WAYS: list[Way] = ["closed", "notice"]
_HABITS = {
    each.__name__: each
    for each in (_late, _auth, _bare, _lists, _cut, _short, _limit, _unlimited, _rate, _subscriptions)
}
_RATES = [
    ((4, 10.0), "rate-limited: slow down, try again in 10 seconds"),
    ((10, 60.0), "rate-limited: at most 10 requests a minute"),
    ((20, 60.0), "rate-limited: you are noting too much"),
]


def random_peer(seed: int) -> Peer:
    """A relay that is drawn from a seed."""
    rng = random.Random(seed)
    store, habits = random_store(rng), random_habits(rng)
    if habits.late_share < 1 and min(habits.limit or PAGE, len(store.events)) < FEW:
        # Of so few events all may happen to be in time.
        habits.late_share = 1.0
    size = min(store.cap, habits.limit or PAGE, (habits.cut_events or 2 * PAGE) // 2)
    # Seconds that hold more than a page have tests of their own: they cost questions without end.
    seconds: Counter[int] = Counter()
    kept = []
    for seen in store.events:
        seconds[seen.at] += 1
        if seconds[seen.at] <= max(1, size // 2):
            kept.append(seen)
    return Peer(replace(store, events=kept), habits)
