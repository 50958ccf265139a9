"""One relay that events are published to: a connection that stays open, by itself, whatever the others do."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from pydantic import SecretStr

from core import metrics
from core.backoff import Backoff
from core.clock import CLOCK
from core.tasks import run_until_first
from core.waiting import brief
from producers.prober.checks.words import words
from producers.prober.dialogue import opened_dialogue
from producers.prober.nip66.announcing import DAY_S, is_held
from producers.prober.nip66.outbox import Outbox
from producers.prober.nip66.relay_event import RELAY_KIND
from producers.prober.target import named_target
from producers.relay_client.client import RelayClient
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.page import Seen
from producers.relay_client.refusals import HOUR_S, MINUTE_S, RelayError
from producers.relay_client.wording import Meaning, understood
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Ok, prefix_of
from schemas.nostr.signature import public_key
from schemas.nostr.signing import Draft
from schemas.relay_urls.relay_url import normalize

logger = logging.getLogger(__name__)

ANSWER_S = 15.0
"""For the OK to an event, or for what is held of us."""
AT_ONCE = 4
"""Events that wait for their OK: at a quarter of a second each, ten thousand relays are published in ten minutes."""
MOST_REFUSED = 5
"""In a row, before the relay is left alone for an hour: more than the kinds of which it may take one and not others."""
MOST_UNANSWERED = AT_ONCE
"""In a row, before the connection is made anew."""
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 10 * MINUTE_S
"""Between two attempts to connect."""
_SUPERSEDED = frozenset({"duplicate", "replaced"})
"""It has this event or a newer one (NIP-01, strfry)."""


class Destination:
    """One relay. `run` lasts until cancelled; everything the relay can do wrong ends in a state and a wait."""

    def __init__(
        self, url: str, key: SecretStr, announced: tuple[Draft, ...], dialling: Dialling, *, stale_s: float
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: the relay's, as an operator gave it: it may be at a private address.
            key: signs in where the relay demands it, and what is announced.
            announced: what it is to have of the monitor itself.
            dialling: how it is connected to.
            stale_s: an event of a relay is of no use to anybody when it is older.
        """
        self.url = url
        self.outbox = Outbox()
        self._target = named_target(normalize(url, allow_private=True), allow_private=True)
        self._key = key
        self._secret = bytes.fromhex(key.get_secret_value())
        self._author = public_key(self._secret)
        self._announced = announced
        self._dialling = dialling
        self._stale_s = stale_s
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        self._announced_at_s: float | None = None
        self._interval_s = 0.0
        self._unanswered = 0
        self._refused = 0
        self._outcomes: Counter[str] = Counter()
        self._said: str | None = None
        self._retry_at_s: float | None = None
        self.state = "waiting"
        """One word: waiting, connecting, connected, refused, or why it is away."""

    def put(self, event: Event) -> None:
        """Have an event published."""
        dropped = self.outbox.put(event)
        if dropped:
            self._count("dropped", dropped)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                await self._visit()
                error = RelayError("disconnected", "the connection ended")
            except RelayError as ended:
                error = ended
            except Exception as unexpected:
                # No relay may end the process for the others, also where it found a fault of ours.
                logger.exception("%s: unexpected failure", self.url)
                error = RelayError("failed", f"unexpected failure: {brief(unexpected)}", HOUR_S)
            wait_s = max(error.wait_s, self._backoff.next_s())
            self.state, self._said = error.state, words(str(error))
            logger.info("nothing is published to %s now: %s; retrying in %.0f s", self.url, error, wait_s)
            self._retry_at_s = loop_s() + wait_s
            await asyncio.sleep(wait_s)
            self._retry_at_s = None

    def status(self) -> dict[str, object]:
        """For a person."""
        return {
            "url": self.url,
            "state": self.state,
            "queued": len(self.outbox),
            "last_words": self._said,
            "retry_in_s": None if self._retry_at_s is None else max(0, round(self._retry_at_s - loop_s())),
            **self._outcomes,
        }

    async def _visit(self) -> None:
        """Connect and publish as long as that lasts."""
        self.state, self._unanswered, self._refused = "connecting", 0, 0
        connection = await open_connection(*self._target, self._dialling)
        async with opened_dialogue(connection, self._key) as dialogue:
            self.state, self._said = "connected", None
            client = dialogue.client
            client.pace.begin_at(self._interval_s)
            await dialogue.before_end(
                run_until_first(
                    connection.keep_alive(), self._announce(client), *(self._send(client) for _ in range(AT_ONCE))
                )
            )

    async def _announce(self, client: RelayClient) -> None:
        """Give the relay what the monitor says of itself: at the start where it has something else, and every day."""
        while True:
            if self._announced_at_s is not None:
                await asyncio.sleep(max(0.0, self._announced_at_s + DAY_S - loop_s()))
            held, now_s = await self._held(client), int(CLOCK.now_s())
            for draft in self._announced:
                if not is_held(draft, self._author, held, now_s):
                    self.put(draft.signed(self._secret, now_s))
            self._announced_at_s = loop_s()

    async def _held(self, client: RelayClient) -> list[Seen]:
        """What the relay has of the monitor's own; nothing where it does not say."""
        kinds = tuple(draft.kind for draft in self._announced)
        page = await client.request_page(Filter(authors=(self._author,), kinds=kinds, limit=len(kinds)))
        await client.wait_for(page, ANSWER_S)
        held = page.page().events
        await client.release(page)
        return held

    async def _send(self, client: RelayClient) -> None:
        while True:
            event = await self.outbox.take()
            if event.kind == RELAY_KIND and CLOCK.now_s() - event.created_at > self._stale_s:
                self._count("stale")
                continue
            try:
                answer = await client.publish(event, ANSWER_S)
            except BaseException:
                self.put(event)
                raise
            self._take(client, event, answer)

    def _take(self, client: RelayClient, event: Event, answer: Ok | None) -> None:
        """Act on the answer to an event.

        Raises:
            RelayError: the relay is to be left alone for a while.
        """
        if answer is None:
            self.put(event)
            self._count("unanswered")
            self._unanswered += 1
            if self._unanswered >= MOST_UNANSWERED:
                raise RelayError("silent", f"answered none of {MOST_UNANSWERED} events within {ANSWER_S:g} s")
            return
        self._unanswered = 0
        prefix = prefix_of(answer.text)
        if answer.accepted or prefix in _SUPERSEDED:
            self._count("published" if answer.accepted else "superseded")
            self._refused, self.state = 0, "connected"
            self._backoff.reset()
            client.pace.answered()
            self._interval_s = client.pace.interval_s
            return
        self._refuse(client, event, answer.text)

    def _refuse(self, client: RelayClient, event: Event, text: str) -> None:
        said, self._said = understood(prefix_of(text), text), words(text)
        match said.meaning:
            case Meaning.RATE:
                self.put(event)
                self._count("rate_limited")
                client.pace.refused(said)
                self._interval_s = client.pace.interval_s
            case Meaning.AUTH:
                self.put(event)
                self._count("refused")
                raise RelayError("auth_required", f"the relay said: {text}", HOUR_S)
            case meaning:
                self._count("refused")
                self._refused += 1
                self.state = "restricted" if meaning is Meaning.RESTRICTED else "refused"
                if self._refused >= MOST_REFUSED:
                    raise RelayError(self.state, f"the relay said: {text}", HOUR_S)

    def _count(self, outcome: str, number: int = 1) -> None:
        self._outcomes[outcome] += number
        metrics.MONITOR_EVENTS.labels(outcome).inc(number)
