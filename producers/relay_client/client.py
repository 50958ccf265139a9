"""The conversation on one connection: subscriptions, AUTH, reconciliations (NIP-01, NIP-42, NIP-77)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pydantic import SecretStr

from core.flag import Flag
from core.tasks import first_of
from producers.relay_client.auth import SignIn
from producers.relay_client.connection import Backpressure, RelayConnection
from producers.relay_client.frames import Copy, FrameReader, parse
from producers.relay_client.hearing import Hearing
from producers.relay_client.loop_clock import GRAIN_S, loop_s
from producers.relay_client.names import Names
from producers.relay_client.negentropy_session import Exchanges
from producers.relay_client.pace import Pace
from producers.relay_client.page_subscription import PageSubscription
from producers.relay_client.replies import Replies
from producers.relay_client.stream.turns import LaneTurns
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.wording import Meaning, Said, understood
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Closed, Counted, Notice, Ok, close, count, prefix_of, req

LONGEST_PAGE_S = 600.0
"""For one page, also if events drip in: a slow relay sends 500 events in a minute."""
AFTER_REFUSAL_S = 2.0
"""A notice names no question: one that is under way may still be answered."""
UNTIL_SIGNED_IN_S = 5.0
"""Of silence to a question, before a challenge is taken for what the relay waits for: some hold a REQ until AUTH."""
PARSED_AT_ONCE_BYTES = 64 * 1024
"""A longer message is parsed in a thread: at worst, it takes a second for a mebibyte, and here 2 ms at least."""
_PARSERS = [ThreadPoolExecutor(1, thread_name_prefix="parse") for _ in range(2)]
"""One for the connections of each lane: parsing holds Python's lock, so that more threads are no quicker, and one of
these messages may take 60 MB while it is parsed."""
_MOST_RELEASED = 64
"""Questions that were closed and whose late events are still taken: more than are asked in the time of one answer."""


class RelayClient:
    """One open connection's conversation. `read` is its only reader; everything else may be called beside it."""

    def __init__(
        self,
        relay: str,
        connection: RelayConnection,
        frames: FrameReader,
        backpressure: Backpressure,
        *,
        auth_key: SecretStr | None = None,
        pace: Pace | None = None,
        turns: LaneTurns | None = None,
        names: Names | None = None,
    ) -> None:
        """Lead the conversation with a relay.

        Args:
            relay: the URL that it was dialled by.
            connection: an open one.
            frames: of the relay; outlives the connection.
            backpressure: when reading rests.
            auth_key: 64 hex digits; None: challenges are not answered.
            pace: that of the relay's host.
            turns: of its lane; None: it shares the event loop with no other.
            names: of subscriptions, for a relay that takes short ones only.
        """
        self.connection = connection
        self.pace = pace or Pace()
        self._turns = turns
        self._replies = Replies(self.say)
        self.auth = SignIn(relay, auth_key, self._replies)
        self._names = names or Names()
        self.exchanges = Exchanges(self.say, connection, self._names)
        self._frames = frames
        self._backpressure = backpressure
        self._parser = _PARSERS[turns is not None and turns.priority]
        self._aside: bytes | None = None
        self._open: dict[str, Subscription] = {}
        self._hearing = Hearing(self._open, self.auth, self.exchanges, self._replies, frames.handler.unasked)
        self._released: list[PageSubscription] = []
        self._received_before = frames.received
        self.late_s = 0.0
        """For so long after EOSE, or after the last event, the relay may still answer; 0: EOSE ends a page."""

    @property
    def identity(self) -> str | None:
        """The public key that the relay has taken an AUTH from on this connection."""
        return self.auth.identity

    @property
    def notice(self) -> Notice | None:
        """The newest since `forget_notices`."""
        return self._hearing.notice

    @property
    def refusal(self) -> Flag:
        """Set by a notice that seems to refuse something."""
        return self._hearing.refusal

    @property
    def received(self) -> int:
        """Events so far on this connection."""
        return self._frames.received - self._received_before

    @property
    def answered(self) -> bool:
        """Whether the relay has answered a question on this connection, by an event or EOSE."""
        return self._hearing.eose or self.received > 0

    @property
    def spoke(self) -> bool:
        """Whether it has done so, or closed one: it is a relay."""
        return self.answered or self._hearing.closed

    @property
    def open(self) -> int:
        """Subscriptions that count as open at the relay."""
        return len(self._open) - len(self._released)

    async def read(self) -> None:
        """Take frames until the end; the socket rests while back-pressure asks for it.

        Raises:
            RelayError: the connection has ended, or must.
            Exception: what the handler of the frames raised.
        """
        await self.connection.read(self._take, self, self._frames.handler.unasked, self._turns)

    async def say(self, message: bytes) -> None:
        """Send a message when it is its turn; raises `RelayError` where the connection has ended."""
        await self.pace.turn()
        await self.connection.send(message)

    @property
    def full(self) -> bool:
        """Whether the socket is to rest (`Backpressure`)."""
        return self._aside is not None or self._backpressure.full

    async def room(self) -> None:
        """Take the frame that waits for a thread; then wait until there is room for more.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        if (frame := self._aside) is not None:
            content = await asyncio.get_running_loop().run_in_executor(self._parser, parse, frame)
            self._aside = None
            self.connection.put_aside(0)
            self._took(content, len(frame))
        if self._backpressure.full:
            await self._backpressure.room()

    def _take(self, frame: bytes) -> None:
        if len(frame) > PARSED_AT_ONCE_BYTES:
            self._aside = frame
            self.connection.put_aside(len(frame))
        else:
            self._took(parse(frame), len(frame))

    def _took(self, content: Copy | bytes, size_bytes: int) -> None:
        message = self._frames.take(content, self._open)
        if message is not None:
            self._hearing.hear(message, size_bytes)

    async def subscribe(self, asked: Filter) -> Subscription:
        """Open a subscription that stays open."""
        return await self._request(Subscription(self._names.new("live"), asked))

    async def request_page(self, asked: Filter) -> PageSubscription:
        """Ask for one page of stored events; `release` it afterwards."""
        page = PageSubscription(self._names.new("page"), asked, self.connection.silent_s)
        await self._request(page)
        return page

    async def wait_for(self, page: PageSubscription, idle_s: float) -> None:
        """Wait for the answer: EOSE and what may follow it, CLOSED, or so many seconds of silence while we read."""
        began = loop_s()
        while page.closed is None and loop_s() - began <= LONGEST_PAGE_S:
            seen = page.events + page.misfits
            if page.eose is not None:
                rest_s = self.late_s - page.since_last_s
                if rest_s <= 0:
                    return
                await asyncio.sleep(max(rest_s, GRAIN_S))
            elif await self._silence(page, idle_s) and page.events + page.misfits == seen:
                return

    async def _silence(self, page: PageSubscription, idle_s: float) -> bool:
        """Wait until a page ends; True if it did not, and was not kept from it by a pause of ours."""
        await first_of(self.refusal, page.ended, timeout_s=idle_s)
        if self.refusal.is_set() and not page.ended.is_set():
            await first_of(page.ended, timeout_s=min(AFTER_REFUSAL_S, idle_s))
        return not page.ended.is_set() and not self.connection.paused

    async def publish(self, event: Event, timeout_s: float) -> Ok | None:
        """Send an event, once more after AUTH where the relay demands that and there is a key.

        Args:
            event: a signed one.
            timeout_s: for each answer, and for AUTH.

        Returns:
            The relay's OK, which may be a refusal; None where none came.

        Raises:
            RelayError: the connection has ended before it was sent.
        """
        session, message = self.auth.session, b'["EVENT",%b]' % encode_event(event)
        answer = await self._replies.ask(event.id, message, timeout_s)
        if _demands_auth(answer) and await self.auth.sign_in_within(timeout_s, session):
            answer = await self._replies.ask(event.id, message, timeout_s)
        return answer if isinstance(answer, Ok) else None

    async def count(self, asked: Filter, timeout_s: float) -> Counted | Closed | None:
        """Ask for a number of events (NIP-45).

        Returns:
            The number, or a refusal; None where neither came.

        Raises:
            RelayError: the connection has ended before it was sent.
        """
        subid = self._names.new("count")
        answer = await self._replies.ask(subid, count(subid, asked.to_wire()), timeout_s)
        return answer if isinstance(answer, Counted | Closed) else None

    async def release(self, page: PageSubscription) -> None:
        """Close a page; what is still on its way is taken for a while."""
        page.release()
        self._released.append(page)
        while len(self._released) > _MOST_RELEASED:
            self._open.pop(self._released.pop(0).subid, None)
        if not page.ended_by_relay:
            await self.connection.send(close(page.subid))

    def forget_expired(self) -> None:
        """Forget closed questions for which nothing is taken any more: each holds its list of kinds."""
        for page in [page for page in self._released if page.expired]:
            self._released.remove(page)
            self._open.pop(page.subid, None)

    async def end(self, subscription: Subscription) -> None:
        """Close a subscription of which nothing more is taken."""
        self._open.pop(subscription.subid, None)
        if not subscription.ended_by_relay:
            await self.connection.send(close(subscription.subid))

    def forget_notices(self) -> None:
        """What was said until now is not about the next question."""
        self._hearing.forget_notices()

    def patience_s(self, idle_s: float) -> float:
        """How much silence is waited for: less where the relay has asked who we are and was not told."""
        return min(idle_s, UNTIL_SIGNED_IN_S) if self.auth.pending else idle_s

    def late_pages(self) -> list[PageSubscription]:
        """Questions that were closed and to which events came after EOSE."""
        return [page for page in self._released if page.late]

    def said(self, subscription: Subscription) -> Said | None:
        """What the relay says against a subscription, by CLOSED or else by its newest notice; None: nothing."""
        if subscription.closed is not None:
            return understood(subscription.closed.prefix, subscription.closed.text)
        if self.notice is not None:
            said = understood(prefix_of(self.notice.text), self.notice.text)
            return said if said.meaning is not Meaning.OTHER else None
        return None

    async def _request(self, subscription: Subscription) -> Subscription:
        await self.pace.turn()
        self._open[subscription.subid] = subscription
        subscription.session, subscription.challenges = self.auth.session, self.auth.challenges
        subscription.identity = self.identity
        await self.connection.send(req(subscription.subid, subscription.asked.to_wire()))
        return subscription


def _demands_auth(answer: object) -> bool:
    return (
        isinstance(answer, Ok)
        and not answer.accepted
        and understood(prefix_of(answer.text), answer.text).meaning is Meaning.AUTH
    )
