"""What a relay says, besides events, goes to whatever waits for it; the rest of it is charged."""

from __future__ import annotations

from collections.abc import Mapping

from core.flag import Flag
from producers.relay_client.auth import SignIn
from producers.relay_client.negentropy_session import Exchanges
from producers.relay_client.replies import Replies
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.unasked import FREE_MESSAGE_BYTES, Charge, OneASecond, Unasked
from producers.relay_client.wording import Meaning, understood
from schemas.nostr.messages import Auth, Closed, Counted, Eose, Message, NegErr, NegMsg, Notice, Ok, prefix_of

FREE_EOSES = 8
"""Of each question: proxies pass on those of their upstreams, of which they have a handful."""


class Hearing:
    """The messages on one connection."""

    def __init__(
        self,
        subscriptions: Mapping[str, Subscription],
        auth: SignIn,
        exchanges: Exchanges,
        replies: Replies,
        charge: Charge,
    ) -> None:
        """Pass messages on to these."""
        self._open = subscriptions
        self._auth = auth
        self._exchanges = exchanges
        self._replies = replies
        self._charge = charge
        self._notices = OneASecond()
        self._challenges = OneASecond()
        self.notice: Notice | None = None
        """The newest."""
        self.refusal = Flag()
        """Set by a notice that seems to refuse something."""
        self.eose = False
        """Whether a question was answered to its end."""
        self.closed = False
        """Whether a question was closed."""

    def hear(self, message: Message, size_bytes: int) -> None:
        """Take a message.

        Raises:
            RelayError: the relay sends too much that nothing waits for.
        """
        unasked = self._unasked(message)
        if unasked is not None:
            self._charge(unasked, size_bytes)
        elif size_bytes > FREE_MESSAGE_BYTES and not isinstance(message, NegMsg):
            self._charge(Unasked.LONG, size_bytes)

    def forget_notices(self) -> None:
        """What was said until now is not about the next question."""
        self.notice = None
        self.refusal.clear()

    def _unasked(self, message: Message) -> Unasked | None:
        """Pass a message on; what it is if nothing waited for it."""
        match message:
            case Eose():
                return None if self._eose(message) else Unasked.EOSE
            case Closed():
                return None if self._closed(message) else Unasked.CLOSED
            case Notice(text):
                self.notice = message
                if understood(prefix_of(text), text).meaning is not Meaning.OTHER:
                    self.refusal.set()
                self._exchanges.notice(message)
                return None if self._notices.free() else Unasked.NOTICE
            case NegMsg() | NegErr():
                return None if self._exchanges.hear(message) else Unasked.NEGENTROPY
            case Auth(challenge):
                self._auth.hear(challenge)
                return None if self._challenges.free() else Unasked.AUTH
            case Ok():
                taken = self._replies.take(message.event_id, message) or self._refused(message)
                return None if taken else Unasked.OK
            case Counted():
                return None if self._replies.take(message.subid, message) else Unasked.COUNT
            case _:
                return None

    def _eose(self, message: Eose) -> bool:
        subscription = self._open.get(message.subid)
        if subscription is None:
            return False
        self.eose = True
        subscription.end(message.hints)
        return subscription.eoses <= FREE_EOSES

    def _closed(self, message: Closed) -> bool:
        subscription = self._open.get(message.subid)
        if subscription is None:
            return self._exchanges.hear(message) or self._replies.take(message.subid, message)
        self.closed = True
        first = not subscription.ended_by_relay
        subscription.close(message)
        return first

    def _refused(self, message: Ok) -> bool:
        """Some relays refuse a REQ so, by its subscription's id."""
        subscription = self._open.get(message.event_id)
        if message.accepted or subscription is None:
            return False
        first = subscription.closed is None
        subscription.refuse(Closed(message.event_id, prefix_of(message.text), message.text))
        return first
