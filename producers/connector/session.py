"""The session of one relay: wait for a connection slot, connect, follow live and crawl, back off, reconnect."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from pydantic import SecretStr

from core import metrics
from core.clock import CLOCK
from core.waiting import brief
from producers.bundler import Bundler
from producers.connector.budget import Budget
from producers.connector.connection_limits import ConnectionLimits
from producers.connector.conversation import Conversation
from producers.connector.coverage.claims import HOLD_S, Claims
from producers.connector.coverage.ledger import SAME_VISIT_S, Ledger
from producers.connector.crawl.crawler import Crawler
from producers.connector.intake import Intake
from producers.connector.known_filters import KnownFilters
from producers.connector.live import BACKDATED_S
from producers.connector.reading.judge_pool import JudgePool
from producers.connector.reading.limits import ReadingLimits
from producers.connector.reading.pacing import Pacing
from producers.connector.reading.relay_judge import RelayJudge
from producers.connector.reconcile.archive_ids import ArchiveIds
from producers.connector.reconcile.comparison import Comparing
from producers.connector.reconcile.held_events import HeldEvents
from producers.connector.reconnects import MINIMUM_UPTIME_S, Reconnects
from producers.connector.relay_model import Model, Name
from producers.rejecting import Rejections
from producers.relay_client.client import RelayClient
from producers.relay_client.connection import FrameTooLargeError, RelayConnection
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.frames import FrameReader
from producers.relay_client.pace import Paces
from producers.relay_client.refusals import HOUR_S, RelayError
from producers.relay_client.spelling import dial_url
from producers.relay_client.wording import Meaning, Said
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.nostr.registrable_domain import registrable_domain
from schemas.nostr.relay_url import RelayUrl
from schemas.records.coverage import Coverage
from schemas.records.relay import RelayRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the sessions of a connector have in common."""

    send_buffer: SendBuffer
    bundler: Bundler
    rejections: Rejections
    slots: ConnectionLimits
    dialling: Dialling
    filters: dict[str, Filter]
    live_limit: int
    eose_timeout_s: float
    auth_key: SecretStr | None
    hold_s: float = HOLD_S
    archive: ArchiveIds | None = None
    known_filters: KnownFilters = field(default_factory=KnownFilters)
    paces: Paces = field(default_factory=Paces)
    judges: JudgePool = field(default_factory=JudgePool)
    pacing: Pacing = field(default_factory=Pacing)


class Session:
    """One relay. `run` lasts until cancelled; everything a relay can do wrong ends in a state and a wait."""

    def __init__(
        self, record: RelayRecord, url: RelayUrl, shared: Shared, *, budget: Budget, ledger: Ledger, model: Model
    ) -> None:
        """Prepare; nothing is opened yet."""
        self.record = record
        self.host = url.host
        self.ledger = ledger
        self.model = model
        judge, window = RelayJudge(shared.judges, budget), shared.pacing.window()
        self._limits = ReadingLimits(shared.send_buffer, judge, window)
        self._intake = Intake(record.url, shared.bundler, shared.rejections, budget, self._limits.taken)
        self._frames = FrameReader(self._intake)
        self.last_error: str | None = None
        self.retry_at_s: float | None = None
        self._url = url
        self._shared = shared
        self._budget = budget
        # Hosts count by address. The operator's own relays may all be on his machine, and are counted each.
        self._pace = shared.paces.of(f"{url.host}:{url.port}" if record.allow_private else url.host)
        self._known_filters = shared.known_filters.of(registrable_domain(url.host))
        self._claims = Claims(ledger, shared.hold_s)
        comparing = None
        if shared.archive is not None:
            held = HeldEvents(record.url, shared.bundler, shared.send_buffer)
            comparing = Comparing(record.url, shared.archive, held, shared.eose_timeout_s)
        self._crawler = Crawler(ledger, model, self._known_filters, self._claims, comparing=comparing)
        self._reconnects = Reconnects()
        self._conversation: Conversation | None = None
        self._backdated_s = BACKDATED_S
        self._was_cut = False
        self._left_s: float | None = None
        self._state = "waiting"

    @property
    def state(self) -> str:
        """One word: waiting, connecting, connected, crawling, live, paused, or why it is away."""
        conversation = self._conversation
        if conversation is None:
            return self._state
        if conversation.connection.paused:
            return "paused"
        if not conversation.started:
            return "connected"
        if not self._crawler.finished.is_set():
            return "crawling"
        return "live" if conversation.followed else "connected"

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
        return self.ledger.record(now_ms).model_copy(update={"facts": self.model.facts})

    async def run(self) -> None:
        """Be with the relay until cancelled."""
        while True:
            self._state = "waiting"
            progress, lasted_s = self._progress, 0.0
            try:
                async with self._shared.slots.place(self.record, self._url):
                    error, lasted_s = await self._visit()
            except Exception as unexpected:
                # No relay may end the process for the others, also where it found a fault of ours.
                logger.exception("%s: unexpected failure", self.record.url)
                error = RelayError("failed", f"unexpected failure: {brief(unexpected)}", HOUR_S)
            finally:
                self._conversation = None
            wait_s = self._reconnects.wait_s(error, progress=self._progress > progress, lasted_s=lasted_s)
            self._state, self.last_error = error.state, str(error)
            metrics.RELAY_FAILURES.labels(error.state).inc()
            logger.info("%s: %s; retrying in %.0f s", self.record.url, error, wait_s)
            self.retry_at_s = CLOCK.now_s() + wait_s
            await asyncio.sleep(wait_s)
            self.retry_at_s = None

    def cut(self) -> None:
        """End the connection at once; for a session that was cancelled and still says goodbye."""
        if self._conversation is not None:
            self._conversation.connection.cut()

    def note_time(self) -> None:
        """Move the cursor to what the live feed has certainly brought. Called every second and before each record."""
        if self._conversation is not None:
            self._conversation.note_time()

    def clock_stepped(self) -> None:
        """The host's clock was set, or set back."""
        if self._conversation is not None:
            self._conversation.reopen_feeds()

    def status(self) -> dict[str, object]:
        """What a person wants to know about this relay."""
        return {
            "url": self.record.url,
            "state": self.state,
            "received": self._frames.received,
            "refused": self._intake.refused,
            "forged": self._limits.judge.forged,
            "last_error": self.last_error,
            "retry_in_s": max(0, round(self.retry_at_s - CLOCK.now_s())) if self.retry_at_s is not None else None,
            "crawl": {
                "done": self._crawler.finished.is_set(),
                "position_s": self._crawler.position(),
                "problem": self._crawler.problem,
                "gaps": self.ledger.gaps,
                "compared": self._crawler.compared,
                "withheld": self._crawler.withheld,
            },
            "cursor_s": self.ledger.cursor_s,
            "model": self.model.status(),
        }

    @property
    def _progress(self) -> int:
        return self._claims.progress + self._crawler.advances

    async def _visit(self) -> tuple[RelayError, float]:
        """Connect and stay as long as it lasts; why it ended, and after how many seconds."""
        pause_s = self._budget.pause_s(time.monotonic())
        if pause_s:
            return RelayError("over_budget", "sent more refused input in an hour than the budget allows", pause_s), 0.0
        self._state = "connecting"
        self._begin_visit()
        # Hosts count handshakes with the messages.
        await self._pace.turn()
        try:
            connection = await open_connection(self._as_learnt(), self._url, self._shared.dialling)
        except RelayError as error:
            if error.state == "rate_limited":
                self._pace.refused(Said(Meaning.RATE, wait_s=error.wait_s))
            return error, 0.0
        self._pace.answered()
        if connection.dialled_url != dial_url(self.record):
            evidence = "answered where the spelling that was given was not"
            self.model.learn(Name.URL, connection.dialled_url, evidence, int(CLOCK.now_s()))
        began = time.monotonic()
        self.last_error = None
        ended = await self._converse(connection)
        return ended, time.monotonic() - began

    async def _converse(self, connection: RelayConnection) -> RelayError:
        """Talk until the connection ends, or the relay's turn is over; why."""
        shared, began = self._shared, time.monotonic()
        url, auth_key = connection.dialled_url, shared.auth_key
        client = RelayClient(url, connection, self._frames, self._limits, auth_key=auth_key, pace=self._pace)
        talk = self._conversation = Conversation(
            client,
            self._crawler,
            self.model,
            self._claims,
            self._known_filters,
            eose_timeout_s=shared.eose_timeout_s,
        )
        # The stored events of a feed must not use up a connection that bears few.
        limit = 1 if self._was_cut else min(shared.live_limit, self.model.page_limit)
        turn = shared.slots.turn(self.record, self._crawler.finished)
        try:
            ended = await talk.talk(shared.filters, turn, limit=limit, backdated_s=self._backdated_s)
        finally:
            await connection.close()
        self._left_s = time.monotonic()
        self._was_cut |= client.received > 0 and self._left_s - began < MINIMUM_UPTIME_S
        # A frame that is too large may be among the stored events with which a feed begins: without these, the crawl
        # gets to pass it by.
        too_large = isinstance(ended, FrameTooLargeError)
        self._backdated_s = 0 if too_large and not talk.started else BACKDATED_S
        return self._over_size(ended) if too_large else ended

    def _begin_visit(self) -> None:
        """What was proved of a relay holds for as long as it is not left for long."""
        if self._left_s is None or time.monotonic() - self._left_s > SAME_VISIT_S:
            self.model.begin_visit(int(CLOCK.now_s()))
            self._claims.begin_visit()
            self._pace.begin_at(self.model.interval_s)
            self._was_cut = self.model.cut

    def _as_learnt(self) -> RelayRecord:
        """The record with the spelling of its URL that was answered."""
        spelling = self.model.text(Name.URL)
        return self.record if spelling is None else self.record.model_copy(update={"spelling": spelling})

    def _over_size(self, error: RelayError) -> RelayError:
        try:
            self._intake.too_large(self._shared.dialling.frame_max_bytes)
        except RelayError as over:
            return over
        return error
