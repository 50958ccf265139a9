"""The session of one relay: wait for a connection slot, visit the relay, back off, and visit it again."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from core import metrics
from core.clock import CLOCK
from core.flag import Flag
from core.waiting import brief
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.crawl.crawler import Crawler
from producers.connector.lanes import PRIORITY
from producers.connector.reading.budget import Budget
from producers.connector.reconcile.comparison import Comparing
from producers.connector.reconcile.held_events import HeldEvents
from producers.connector.reconnects import MINIMUM_UPTIME_S, Reconnects
from producers.connector.registry import retry_tiers
from producers.connector.registry.selection import is_discovered
from producers.connector.registry.standing import RelayStanding
from producers.connector.relay_model import Model
from producers.connector.shared import Shared
from producers.connector.state_changes import StateChanges
from producers.connector.visits import Ended, Visits
from producers.relay_client.refusals import HOUR_S, RelayError
from schemas.records.coverage import Copies, Coverage
from schemas.records.relay import RelayRecord
from schemas.relay_urls.registrable_domain import registrable_domain
from schemas.relay_urls.relay_url import RelayUrl

logger = logging.getLogger(__name__)


class Session:
    """One relay. `run` lasts until cancelled; everything a relay can do wrong ends in a state and a wait."""

    def __init__(
        self,
        record: RelayRecord,
        url: RelayUrl,
        shared: Shared,
        *,
        budget: Budget,
        ledger: Ledger,
        model: Model,
        copies: Copies | None = None,
    ) -> None:
        """Prepare; nothing is opened yet. `copies`: what the relay has sent before."""
        self.record = record
        self.host = url.host
        self.ledger = ledger
        self.model = model
        self._last_error: str | None = None
        self._retry_at_s: float | None = None
        self._url = url
        self._shared = shared
        self._state = "waiting"
        self._claims = Claims(ledger, shared.hold_s)
        known_filters = shared.known_filters.of(registrable_domain(url.host))
        comparing = None
        if shared.archive is not None:
            priority = record.lane == PRIORITY
            held = HeldEvents(record.url, shared.bundler, shared.send_buffer, priority=priority)
            comparing = Comparing(record.url, shared.archive, held, shared.eose_timeout_s)
        self._crawler = Crawler(ledger, model, known_filters, self._claims, comparing=comparing)
        self._visits = Visits(
            record,
            url,
            shared,
            budget=budget,
            copies=copies,
            model=model,
            known_filters=known_filters,
            claims=self._claims,
            crawler=self._crawler,
        )
        self._reconnects = Reconnects()
        self._state_changes = StateChanges()
        self._standing = RelayStanding(record.report)
        self._left_at_s = 0.0
        self._wanted_now = Flag()

    @property
    def state(self) -> str:
        """One word: waiting, connecting, connected, crawling, live, paused, or why it is away."""
        return self._visits.state or self._state

    @property
    def changes(self) -> int:
        """Counts changes of the record of coverage."""
        return self.ledger.changes + self.model.changes

    @property
    def crawled(self) -> int:
        """Counts those that are more than a moved cursor."""
        return self.ledger.crawled + self.model.changes

    def coverage(self, now_ms: int) -> Coverage:
        """The record for `coverage`. It may be published once everything received until now is durable."""
        record = self.ledger.record(now_ms)
        return record.model_copy(update={"facts": self.model.facts, "copies": self._visits.copies})

    def follow(self, record: RelayRecord) -> None:
        """Take what the registry knows of the relay now; the connection is not affected by it."""
        if is_discovered(self.record) and not is_discovered(record):
            self._wanted_now.set()
        self.record = record

    async def run(self) -> None:
        """Be with the relay until cancelled."""
        await self._rest(retry_tiers.rest_s(self.record, CLOCK.now_ms()))
        while True:
            self._state = "waiting"
            progress = self._progress
            try:
                async with self._shared.slots.place(self.record, self._url, self._read_until_s) as place:
                    ended = await self._visits.visit(place)
            except Exception as unexpected:
                # No relay may end the process for the others, also where it found a fault of ours.
                logger.exception("%s: unexpected failure", self.record.url)
                ended = Ended(RelayError("failed", f"unexpected failure: {brief(unexpected)}", HOUR_S))
            error = ended.error
            self._left_at_s = CLOCK.now_s()
            self._standing.ended(error, spoke=ended.spoke, challenged=ended.challenged)
            self._report()
            wait_s = self._reconnects.wait_s(error, progress=self._progress > progress, lasted_s=ended.lasted_s)
            if self._standing.state == "silent" and is_discovered(self.record):
                wait_s = max(wait_s, retry_tiers.wait_s(self._standing.failures))
            self._state, self._last_error = error.state, str(error)
            metrics.RELAY_FAILURES.labels(error.state).inc()
            level = logging.INFO if self._state_changes.ended(error.state) else logging.DEBUG
            logger.log(level, "%s: %s; retrying in %.0f s", self.record.url, error, wait_s)
            await self._rest(wait_s)

    def cut(self) -> None:
        """End the connection at once; for a session that was cancelled and still says goodbye."""
        if self._visits.conversation is not None:
            self._visits.conversation.connection.cut()

    def note_time(self) -> None:
        """Take what the time since has brought: a cursor, a standing. Called every second and before each record."""
        conversation = self._visits.conversation
        if conversation is not None:
            conversation.note_time()
            client = conversation.client
            client.forget_expired()
            if client.answered or (client.spoke and self._visits.connected_s >= MINIMUM_UPTIME_S):
                self._standing.spoke()
            if self._state_changes.lasts(self._visits.connected_s):
                logger.info("%s: connected", self.record.url)
        self._report()

    def clock_stepped(self) -> None:
        """The host's clock was set, or set back."""
        if self._visits.conversation is not None:
            self._visits.conversation.reopen_feeds()

    def status(self) -> dict[str, object]:
        """What a person wants to know about this relay."""
        return {
            "url": self.record.url,
            "state": self.state,
            "standing": self._standing.state,
            "lane": self.record.lane,
            "received": self._visits.frames.received,
            "refused": self._visits.intake.refused,
            "forged": self._visits.limits.judge.forged,
            "last_error": None if self._visits.conversation is not None else self._last_error,
            "retry_in_s": max(0, round(self._retry_at_s - CLOCK.now_s())) if self._retry_at_s is not None else None,
            "crawl": {
                "done": self._crawler.finished.is_set(),
                "position_s": self._crawler.position(),
                "problem": self._crawler.pages.problem,
                "gaps": self.ledger.gaps,
                "compared": self._crawler.compared,
                "withheld": self._crawler.withheld,
            },
            "cursor_s": self.ledger.cursor_s,
            "model": self.model.status(),
        }

    async def _rest(self, seconds: float) -> None:
        """Wait, unless somebody wishes for the relay meanwhile."""
        self._wanted_now.clear()
        self._retry_at_s = CLOCK.now_s() + seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted_now.wait()
        self._retry_at_s = None

    def _report(self) -> None:
        """Tell the registry how the relay stands, if that is new."""
        reports = self._shared.reports
        if reports is not None and not reports.full:
            report = self._standing.report(CLOCK.now_ms(), on_tiers=is_discovered(self.record))
            if report is not None:
                reports.put(self._url, report)

    def _read_until_s(self) -> float:
        """Up to when the relay is read, or else when it was tried last: one that gives nothing is not always first."""
        return max(self.ledger.cursor_s or 0, self._left_at_s)

    @property
    def _progress(self) -> int:
        return self._claims.progress + self._crawler.advances
