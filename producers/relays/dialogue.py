"""The conversation on one connection: subscriptions, AUTH, reconciliations (NIP-01, NIP-42, NIP-77)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence

from pydantic import SecretStr

from producers.outbox import Outbox
from producers.relays.auth import MAX_CHALLENGE, auth_message
from producers.relays.connection import RelayConnection
from producers.relays.exchange import Exchanges
from producers.relays.intake import Intake, read_frame
from producers.relays.messages import Auth, Closed, Eose, Message, NegErr, NegMsg, Notice, Ok, close, req
from producers.relays.subscriptions import PageSubscription, Subscription
from schemas.filters import Filter
from schemas.signature import public_key

AUTH_TIMEOUT_S = 15.0
"""For the relay's OK. One that checks a key in its database takes a second."""
MOST_AUTHS = 2
"""Answers on one connection: a challenge may be renewed once; a relay that wants more wants them without end."""
CHALLENGE_TIMEOUT_S = 5.0
"""For the challenge, where a relay closes a subscription before it sends one."""
LONGEST_PAGE_S = 600.0
"""For one page, also if events drip in: a slow relay sends 500 events in a minute."""
_HELD_AT_ONCE = 1_000
"""Ids of which lines are written before looking whether Kafka keeps up: some 150 KB."""
_LATE_SUBSCRIPTIONS = 4
"""Closed ones of which events may still be on their way: some relays go on after EOSE (nostr-facts section 10)."""


class Dialogue:
    """One open connection's conversation. `read` is its only reader; everything else may be called beside it."""

    def __init__(
        self, relay: str, connection: RelayConnection, intake: Intake, outbox: Outbox, auth_key: SecretStr | None
    ) -> None:
        """Lead the conversation with a relay that was connected to by this URL."""
        self._relay = relay
        self.connection = connection
        self._intake = intake
        self._outbox = outbox
        self._auth_key = auth_key
        self._open: dict[str, Subscription] = {}
        self._late: deque[str] = deque()
        self.exchanges = Exchanges(connection, intake.unasked)
        self._numbers = itertools.count(1)
        self._challenge: str | None = None
        self._challenged = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Ok]] = {}
        self._refused_challenge: str | None = None
        self._authenticating = asyncio.Lock()
        self._authenticated = False
        self._auths = 0
        self.identity: str | None = None
        """The public key that the relay has taken an AUTH from on this connection."""
        self.notice: Notice | None = None
        """The newest since `notice` was last set to None."""

    async def read(self) -> None:
        """Take frames for ever; the socket rests while too much is unacknowledged.

        Raises:
            RelayError: the connection has ended, or must.
        """
        await self.connection.read(self._take, self._outbox)

    def _take(self, frame: bytes) -> None:
        message = read_frame(self._intake, frame, self._open)
        if message is not None:
            self._hear(message)

    async def subscribe(self, asked: Filter) -> Subscription:
        """Open a subscription that stays open."""
        return await self._request(Subscription(self._name("live"), asked))

    async def request_page(self, asked: Filter) -> PageSubscription:
        """Ask for one page of stored events; `release` it afterwards."""
        page = PageSubscription(self._name("page"), asked)
        await self._request(page)
        return page

    async def wait_for(self, page: PageSubscription, idle_s: float) -> None:
        """Wait for EOSE, CLOSED, or so many seconds without an event while we were reading."""
        began = time.monotonic()
        while not page.ended.is_set():
            seen = page.events + page.misfits
            try:
                async with asyncio.timeout(idle_s):
                    await page.ended.wait()
            except TimeoutError:
                silent = page.events + page.misfits == seen and not self.connection.paused
                if silent or time.monotonic() - began > LONGEST_PAGE_S:
                    return

    async def release(self, subscription: Subscription) -> None:
        """Close a subscription; what is still on its way is taken for a little while."""
        if subscription.closed is None:
            await self.connection.send(close(subscription.subid))
        self._late.append(subscription.subid)
        while len(self._late) > _LATE_SUBSCRIPTIONS:
            self._open.pop(self._late.popleft(), None)

    async def note_held(self, held: Sequence[tuple[int, str]]) -> None:
        """Report events of the archive, by `created_at` and id, that the relay was shown to hold."""
        for start in range(0, len(held), _HELD_AT_ONCE):
            self._intake.held(held[start : start + _HELD_AT_ONCE])
            await self._outbox.room()

    async def authenticate(self, refused: Subscription) -> bool:
        """Answer the relay's challenge, once, if a key is configured; whether what was refused may be asked again."""
        if self._auth_key is None:
            return False
        # Several subscriptions are refused at once: one answer holds for all of them.
        async with self._authenticating:
            if self._authenticated:
                return not refused.authenticated
            return await self._answer_challenge(self._auth_key)

    async def _answer_challenge(self, auth_key: SecretStr) -> bool:
        if self._auths >= MOST_AUTHS:
            return False
        try:
            async with asyncio.timeout(CHALLENGE_TIMEOUT_S):
                await self._challenged.wait()
        except TimeoutError:
            return False
        challenge = self._challenge
        if challenge is None or challenge == self._refused_challenge:
            return False
        self._auths += 1
        secret = bytes.fromhex(auth_key.get_secret_value())
        event_id, message = auth_message(secret, self._relay, challenge, int(time.time()))
        answer = self._answers[event_id] = asyncio.get_running_loop().create_future()
        try:
            await self.connection.send(message)
            async with asyncio.timeout(AUTH_TIMEOUT_S):
                self._authenticated = (await answer).accepted
        except TimeoutError:
            self._authenticated = False
        finally:
            del self._answers[event_id]
        if self._authenticated:
            self.identity = public_key(secret)
        else:
            self._refused_challenge = challenge
        return self._authenticated

    def _name(self, purpose: str) -> str:
        return f"{purpose}-{next(self._numbers)}"

    async def _request(self, subscription: Subscription) -> Subscription:
        self._open[subscription.subid] = subscription
        subscription.authenticated = self._authenticated
        subscription.identity = self.identity
        await self.connection.send(req(subscription.subid, subscription.asked.to_wire()))
        return subscription

    def _hear(self, message: Message) -> None:
        match message:
            case Eose(subid, hints):
                if (subscription := self._open.get(subid)) is not None:
                    subscription.end(hints)
            case Closed(subid):
                if (subscription := self._open.get(subid)) is not None:
                    subscription.close(message)
                else:
                    self.exchanges.hear(message)
            case Notice():
                self.notice = message
                self.exchanges.notice(message)
            case NegMsg() | NegErr():
                self.exchanges.hear(message)
            case Auth(challenge) if len(challenge) <= MAX_CHALLENGE:
                self._challenge = challenge
                self._authenticated = False
                self._challenged.set()
            case Ok(event_id):
                answer = self._answers.get(event_id)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case _:
                pass
