"""Visits to one relay: each connects and talks as long as it lasts, and leaves for the next what was seen."""

from __future__ import annotations

import time
from typing import NamedTuple

from core.clock import CLOCK
from producers.connector.connection_limits import Place
from producers.connector.conversation import Conversation
from producers.connector.coverage.claims import Claims
from producers.connector.coverage.ledger import SAME_VISIT_S
from producers.connector.crawl.crawler import Crawler
from producers.connector.known_filters import RelayKnownFilters
from producers.connector.lanes import PRIORITY
from producers.connector.live import BACKDATED_S
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.connector.reading.limits import ReadingLimits
from producers.connector.reading.quota import Quota
from producers.connector.reading.relay_judge import RelayJudge
from producers.connector.relay_model import Model, Name
from producers.connector.shared import Shared
from producers.relay_client.client import RelayClient
from producers.relay_client.connection import FrameTooLargeError, RelayConnection
from producers.relay_client.dialling import open_connection, patience
from producers.relay_client.frames import FrameReader
from producers.relay_client.names import Names
from producers.relay_client.refusals import RelayError, over_budget
from producers.relay_client.spelling import dial_url
from producers.relay_client.wording import Meaning, Said
from schemas.records.coverage import Copies
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import RelayUrl


class Ended(NamedTuple):
    """How a visit has ended.

    Attributes:
        error: why.
        lasted_s: for how long it was connected.
        spoke: whether the relay has answered anything.
        challenged: whether it has demanded AUTH.
    """

    error: RelayError
    lasted_s: float = 0.0
    spoke: bool = False
    challenged: bool = False


class Visits:
    """One relay's. `visit` is called for each, while the relay has a connection slot."""

    def __init__(
        self,
        record: RelayRecord,
        url: RelayUrl,
        shared: Shared,
        *,
        budget: Budget,
        copies: Copies | None,
        model: Model,
        known_filters: RelayKnownFilters,
        claims: Claims,
        crawler: Crawler,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self.conversation: Conversation | None = None
        """The one of the present visit, once it is connected."""
        self._priority = record.lane == PRIORITY
        judge = RelayJudge(shared.judges, budget, priority=self._priority)
        self._forged_before = 0 if copies is None else copies.forged
        room = shared.send_buffer.priority if self._priority else shared.send_buffer
        window = shared.pacing.window(priority=self._priority)
        self.limits = ReadingLimits(room, judge, window, Quota(shared.events_per_hour))
        self.intake = Intake(
            record.url,
            shared.bundler,
            shared.rejections,
            budget,
            priority=self._priority,
            copies=copies,
            repeats=shared.repeats,
            taken=self.limits.taken,
        )
        self.frames = FrameReader(self.intake)
        self._record = record
        self._url = url
        self._shared = shared
        self._budget = budget
        self._model = model
        self._known_filters = known_filters
        self._claims = claims
        self._crawler = crawler
        # Hosts count by address. The operator's own relays may all be on his machine, and are counted each.
        self._pace = shared.paces.of(f"{url.host}:{url.port}" if record.allow_private else url.host)
        self._backdated_s = BACKDATED_S
        self._connecting = False
        self._left_s: float | None = None
        self._connected_at_s = 0.0

    @property
    def copies(self) -> Copies:
        """What the relay has sent until now."""
        return self.intake.copies.model_copy(update={"forged": self._forged_before + self.limits.judge.forged})

    @property
    def state(self) -> str | None:
        """One word: connecting, connected, crawling, live or paused; None where there is no visit."""
        conversation = self.conversation
        if conversation is None:
            return "connecting" if self._connecting else None
        if conversation.connection.paused:
            return "paused"
        if not conversation.started:
            return "connected"
        if not self._crawler.finished.is_set():
            return "crawling"
        return "live" if conversation.followed else "connected"

    @property
    def connected_s(self) -> float:
        """For how many seconds the present connection is open; 0 where there is none."""
        return 0.0 if self.conversation is None else time.monotonic() - self._connected_at_s

    async def visit(self, place: Place) -> Ended:
        """Connect and stay as long as it lasts, in a place that is held."""
        try:
            return await self._visit(place)
        finally:
            self._connecting = False
            self.conversation = None

    async def _visit(self, place: Place) -> Ended:
        pause_s = self._budget.pause_s(time.monotonic())
        if pause_s:
            return Ended(over_budget(pause_s))
        if (over := self.limits.quota.over()) is not None:
            return Ended(over)
        self._connecting = True
        self._begin()
        # Hosts count handshakes with the messages.
        await self._pace.turn()
        try:
            connection = await open_connection(self._as_learnt(), self._url, self._shared.dialling)
        except RelayError as error:
            if error.state == "rate_limited":
                self._pace.refused(Said(Meaning.RATE, wait_s=error.wait_s))
            return Ended(error)
        self._pace.answered()
        if connection.dialled_url != dial_url(self._record):
            evidence = "answered where the spelling that was given was not"
            self._model.learn(Name.URL, connection.dialled_url, evidence, int(CLOCK.now_s()))
        return await self._converse(connection, place)

    async def _converse(self, connection: RelayConnection, place: Place) -> Ended:
        """Talk until the connection ends, or the relay's turn is over."""
        shared = self._shared
        self._connected_at_s = time.monotonic()
        url, auth_key = connection.dialled_url, shared.auth_key
        turns = shared.turns.lane(priority=self._priority)
        client = RelayClient(
            url,
            connection,
            self.frames,
            self.limits,
            auth_key=auth_key,
            pace=self._pace,
            turns=turns,
            names=Names(self._model.subid_length),
        )
        talk = self.conversation = Conversation(
            client,
            self._crawler,
            self._model,
            self._claims,
            self._known_filters,
            eose_timeout_s=shared.eose_timeout_s * patience(self._url.network),
        )
        turn = shared.slots.turn(place, self._crawler.finished)
        try:
            error = await talk.talk(shared.filters, turn, backdated_s=self._backdated_s)
        finally:
            await connection.close()
        self._left_s = time.monotonic()
        lasted_s = self._left_s - self._connected_at_s
        # A frame that is too large may be among the stored events with which a feed begins: without these, the crawl
        # gets to pass it by.
        too_large = isinstance(error, FrameTooLargeError)
        self._backdated_s = 0 if too_large and not talk.started else BACKDATED_S
        error = self._over_size(error) if too_large else error
        return Ended(error, lasted_s, client.spoke, client.auth.challenges > 0)

    def _begin(self) -> None:
        """What was proved of a relay holds for as long as it is not left for long."""
        if self._left_s is None or time.monotonic() - self._left_s > SAME_VISIT_S:
            self._model.begin_visit(int(CLOCK.now_s()))
            self._claims.begin_visit()
            self._pace.begin_at(self._model.interval_s)

    def _as_learnt(self) -> RelayRecord:
        """The record with the spelling of its URL that was answered."""
        spelling = self._model.text(Name.URL)
        return self._record if spelling is None else self._record.model_copy(update={"spelling": spelling})

    def _over_size(self, error: RelayError) -> RelayError:
        try:
            self.intake.too_large(self._shared.dialling.frame_max_bytes)
        except RelayError as over:
            return over
        return error
