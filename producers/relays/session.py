"""The life of one relay in a connector: wait for a place, connect, be live and crawl, lose it, back off, again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field

from pydantic import SecretStr

from core import metrics
from core.backoff import Backoff
from core.waiting import brief
from producers.bundler import Bundler
from producers.outbox import Outbox
from producers.rejecting import Rejections
from producers.relays.archive_ids import ArchiveIds
from producers.relays.budget import Budget
from producers.relays.comparison import Comparing
from producers.relays.connection import Dialling, FrameTooLargeError, RelayConnection, open_connection
from producers.relays.crawler import Crawler
from producers.relays.dialogue import Dialogue
from producers.relays.habits import Habits
from producers.relays.intake import Intake
from producers.relays.ledger import Ledger
from producers.relays.live import BACKDATED_S, LiveFeed
from producers.relays.refusals import HOUR_S, RelayError
from producers.relays.slots import Slots
from producers.relays.together import run_together
from producers.relays.vocabulary import Vocabulary
from schemas.filters import Filter
from schemas.relay_record import RelayRecord
from schemas.relay_url import RelayUrl

logger = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = HOUR_S
"""A relay that is dead for weeks is tried a few dozen times a day; eight thousand of them make two tries a second."""
MINIMUM_UPTIME_S = 60.0
"""A connection that lasted so long was a success. Relays that accept and drop would be hammered otherwise."""
VISIT_S = 600.0
"""A regular relay that is read and has been live for so long gives its place to one that waits."""
LONGEST_VISIT_S = HOUR_S
"""One that is still being read does so too: stored events without end must not keep a place for ever."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the sessions of a connector have in common."""

    outbox: Outbox
    bundler: Bundler
    rejections: Rejections
    slots: Slots
    dialling: Dialling
    filters: dict[str, Filter]
    live_limit: int
    eose_timeout_s: float
    auth_key: SecretStr | None
    archive: ArchiveIds | None = None
    vocabulary: Vocabulary = field(default_factory=Vocabulary)


class Session:
    """One relay. `run` lasts until cancelled; everything a relay can do wrong ends in a state and a wait."""

    def __init__(
        self, record: RelayRecord, url: RelayUrl, shared: Shared, *, budget: Budget, ledger: Ledger, habits: Habits
    ) -> None:
        """Prepare; nothing is opened yet."""
        self.record = record
        self.host = url.host
        self.ledger = ledger
        self.intake = Intake(record.url, shared.bundler, shared.rejections, budget)
        self.last_error: str | None = None
        self.retry_at_s: float | None = None
        self._url = url
        self._shared = shared
        self._budget = budget
        comparing = Comparing(record.url, shared.archive, shared.eose_timeout_s) if shared.archive is not None else None
        self._crawler = Crawler(
            shared.filters,
            ledger,
            habits,
            shared.eose_timeout_s,
            vocabulary=shared.vocabulary,
            comparing=comparing,
        )
        self._feeds: list[LiveFeed] = []
        self._backdated_s = BACKDATED_S
        self._connection: RelayConnection | None = None
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        self._state = "waiting"

    @property
    def state(self) -> str:
        """One word: waiting, connecting, connected, crawling, live, paused, or why it is away."""
        connection = self._connection
        if connection is None:
            return self._state
        if connection.paused:
            return "paused"
        if not self._feeds_answered():
            return "connected"
        if not self._crawler.finished.is_set():
            return "crawling"
        return "live" if all(feed.open.is_set() for feed in self._feeds) else "connected"

    async def run(self) -> None:
        """Be with the relay until cancelled."""
        while True:
            self._state = "waiting"
            try:
                async with self._shared.slots.place(self.record, self._url):
                    error = await self._visit()
            except Exception as unexpected:
                # No relay may end the process for the others, also where it found a fault of ours.
                logger.exception("%s: unexpected failure", self.record.url)
                error = RelayError("failed", f"unexpected failure: {brief(unexpected)}", HOUR_S)
            finally:
                self._connection = None
            wait_s = max(error.wait_s, self._backoff.next_s())
            self._state, self.last_error = error.state, str(error)
            metrics.RELAY_FAILURES.labels(error.state).inc()
            logger.info("%s: %s; again in %.0f s", self.record.url, error, wait_s)
            self.retry_at_s = time.time() + wait_s
            await asyncio.sleep(wait_s)
            self.retry_at_s = None

    def cut(self) -> None:
        """End the connection at once; for a session that was cancelled and still says goodbye."""
        if self._connection is not None:
            self._connection.cut()

    def note_time(self) -> None:
        """Move the cursor to what the live feed has certainly brought. Called every second and before each record."""
        connection = self._connection
        if connection is None or not self._feeds or not all(feed.open.is_set() for feed in self._feeds):
            return
        if any(feed.identity != self.ledger.identity for feed in self._feeds):
            # Opened before AUTH was answered: what it brings is not what the present key may see.
            return
        cursor_s = connection.complete_until_s
        since_s = max(feed.since_s for feed in self._feeds)
        if cursor_s >= since_s:
            self.ledger.heard(since_s, int(cursor_s))

    def status(self) -> dict[str, object]:
        """What a person wants to know about this relay."""
        return {
            "url": self.record.url,
            "state": self.state,
            "received": self.intake.received,
            "refused": self.intake.refused,
            "last_error": self.last_error,
            "retry_in_s": max(0, round(self.retry_at_s - time.time())) if self.retry_at_s is not None else None,
            "crawl": {
                "done": self._crawler.finished.is_set(),
                "position_s": self._crawler.position(),
                "problem": self._crawler.problem,
                "gaps": self.ledger.gaps,
                "compared": self._crawler.compared,
                "withheld": self._crawler.withheld,
            },
            "cursor_s": self.ledger.cursor_s,
        }

    async def _visit(self) -> RelayError:
        """Connect and stay as long as it lasts; why it ended."""
        pause_s = self._budget.pause_s(time.monotonic())
        if pause_s:
            return RelayError("over_budget", "sent more refused input in an hour than the budget allows", pause_s)
        self._state = "connecting"
        try:
            connection = await open_connection(self.record, self._url, self._shared.dialling)
        except RelayError as error:
            return error
        # What was answered is dialled first from now on.
        self.record = self.record.model_copy(update={"spelling": connection.dialled_url})
        began = time.monotonic()
        self._connection = connection
        self.last_error = None
        try:
            await self._converse(connection)
        except FrameTooLargeError as error:
            if self._feeds_answered():
                self._crawler.passed_by()
            else:
                # It is among the stored events with which a feed begins: without these, the crawl gets to pass it by.
                self._backdated_s = 0
            return self._over_size(error)
        except RelayError as error:
            self._backdated_s = BACKDATED_S
            return error
        finally:
            self.note_time()
            if time.monotonic() - began >= MINIMUM_UPTIME_S:
                self._backoff.reset()
            await connection.close()
        self._backdated_s = BACKDATED_S
        return RelayError("resting", "another relay had its turn")

    def _feeds_answered(self) -> bool:
        return bool(self._feeds) and all(feed.answered.is_set() for feed in self._feeds)

    def _over_size(self, error: FrameTooLargeError) -> RelayError:
        try:
            self.intake.too_large(self._shared.dialling.frame_max_bytes)
        except RelayError as over:
            return over
        return error

    async def _converse(self, connection: RelayConnection) -> None:
        """Read, ping, feed and crawl at once, until the turn is over.

        Raises:
            RelayError: the first of them that ended.
        """
        shared = self._shared
        dialogue = Dialogue(connection.dialled_url, connection, self.intake, shared.outbox, shared.auth_key)
        self._feeds = [
            LiveFeed(base, shared.live_limit, shared.eose_timeout_s, backdated_s=self._backdated_s)
            for base in shared.filters.values()
        ]
        work = [dialogue.read(), connection.keep_alive(), self._crawl(dialogue)]
        work += [feed.run(dialogue) for feed in self._feeds]
        if self.record.lane == "regular":
            work.append(self._turn())
        # In this order: what the reader says is nearest to the cause.
        await run_together(*work)

    async def _crawl(self, dialogue: Dialogue) -> None:
        # The feeds first: what arrives after they are open comes through them, what was stored before is crawled.
        for feed in self._feeds:
            await feed.answered.wait()
        await self._crawler.run(dialogue)

    async def _turn(self) -> None:
        """Return when a relay that waits should have this one's place."""
        await asyncio.sleep(VISIT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_VISIT_S - VISIT_S):
                await self._crawler.finished.wait()
        await self._shared.slots.contended.wait()
