"""AUTH (NIP-42): challenges of a relay on one connection, and the answers, signed with the configured key."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr

from core.clock import CLOCK
from core.flag import Flag
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.refusals import MINUTE_S
from producers.relay_client.replies import Replies
from schemas.nostr.event import encode_event
from schemas.nostr.kinds import AUTH_KIND
from schemas.nostr.messages import Ok
from schemas.nostr.signature import public_key
from schemas.nostr.signing import Draft

MAX_CHALLENGE = 1024
"""Characters of a challenge that are signed. Relays send 16 to 64."""
ANSWER_TIMEOUT_S = 15.0
"""For the relay's OK. One that checks a key in its database takes a second."""
CHALLENGE_TIMEOUT_S = 5.0
"""For the challenge, where a relay refuses a subscription before it sends one."""
AT_ONCE_S = 1.0
"""For a challenge that is sent when a connection is opened: a round trip."""
MOST_SIGN_INS = 6
"""In a minute: sessions of some relays last for seconds, and a signature costs us less than a page."""
MOST_IN_VAIN = 2
"""Sign-ins in a row that the relay took and that nothing was answered after: it wants somebody else."""


class SignIn:
    """Who we are on one connection; without a key, a stranger."""

    def __init__(self, relay: str, auth_key: SecretStr | None, replies: Replies) -> None:
        """Answer the challenges of a relay.

        Args:
            relay: the URL that was dialled: relays compare it with their own.
            auth_key: 64 hex digits; None: challenges are not answered.
            replies: of the relay to our answers.
        """
        self._relay = relay
        self._secret = bytes.fromhex(auth_key.get_secret_value()) if auth_key is not None else None
        self._replies = replies
        self._challenge: str | None = None
        self._challenged = Flag()
        self._refused: str | None = None
        self._lock = asyncio.Lock()
        self._times: list[float] = []
        self._in_vain = 0
        self._taken: str | None = None
        self.renewal = Flag()
        """Set while a session that the relay had taken has expired."""
        self.answered = False
        """Whether the relay has answered anything yet."""
        self.challenges = 0
        """Challenges that came."""
        self.session = 0
        """Answers that the relay has taken."""
        self.identity: str | None = None
        """The public key that it has taken one from; None: not signed in."""

    @property
    def has_key(self) -> bool:
        """Whether challenges can be answered."""
        return self._secret is not None

    @property
    def pending(self) -> bool:
        """Whether there is a challenge that could be answered, and is not."""
        return self.has_key and self._challenge not in (None, self._taken, self._refused)

    @property
    def expired(self) -> bool:
        """Whether a challenge has come since the relay took an answer, which is valid until then (NIP-42)."""
        return self.pending and self._taken is not None

    def hear(self, challenge: str) -> None:
        """Take a challenge; the newest counts."""
        if len(challenge) <= MAX_CHALLENGE:
            self._challenge = challenge
            self.challenges += 1
            self._challenged.set()
            if self.expired:
                self.renewal.set()

    def of_use(self) -> None:
        """Something was answered to who we are now."""
        self._in_vain = 0
        self.answered = True

    async def challenged(self) -> bool:
        """Whether there is a challenge to answer, or comes within a moment."""
        try:
            async with asyncio.timeout(AT_ONCE_S):
                await self._challenged.wait()
        except TimeoutError:
            return False
        return self.pending

    async def sign_in(self, session: int) -> bool:
        """Answer the newest challenge, waiting for it a little.

        Args:
            session: the one in which was asked what the relay refused.

        Returns:
            Whether it may be asked again. Several subscriptions are refused at once: one answer holds for all of them.

        Raises:
            RelayError: the connection has ended.
        """
        if self._secret is None:
            return False
        async with self._lock:
            if session < self.session and not self.expired:
                return True
            try:
                return await self._answer(self._secret)
            finally:
                # Answered or not: who waits for it has nothing more to wait for.
                self.renewal.clear()

    async def sign_in_within(self, timeout_s: float, session: int) -> bool:
        """As `sign_in`, and False where that takes too long."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.sign_in(session)
        except TimeoutError:
            return False

    async def _answer(self, secret: bytes) -> bool:
        if self._in_vain >= MOST_IN_VAIN:
            return False
        try:
            async with asyncio.timeout(CHALLENGE_TIMEOUT_S):
                await self._challenged.wait()
        except TimeoutError:
            return False
        await self._turn()
        challenge = self._challenge
        if challenge is None or challenge == self._refused:
            return False
        event_id, message = auth_message(secret, self._relay, challenge, int(CLOCK.now_s()))
        answer = await self._replies.ask(event_id, message, ANSWER_TIMEOUT_S)
        if not (isinstance(answer, Ok) and answer.accepted):
            self._refused = challenge
            return False
        self._taken = challenge
        self._in_vain += 1
        self.session += 1
        self.identity = public_key(secret)
        return True

    async def _turn(self) -> None:
        """Wait until fewer than `MOST_SIGN_INS` are within a minute."""
        if len(self._times) == MOST_SIGN_INS:
            await asyncio.sleep(max(0.0, self._times[0] + MINUTE_S - loop_s()))
        self._times = [*self._times[1 - MOST_SIGN_INS :], loop_s()]


def auth_message(secret: bytes, relay: str, challenge: str, now_s: int) -> tuple[str, bytes]:
    """Build the AUTH message.

    Args:
        secret: 32 bytes.
        relay: the URL that was connected to.
        challenge: the newest that the relay sent on this connection.
        now_s: relays accept a few seconds to minutes around their own clock.

    Returns:
        The event's id, which the relay's OK will name, and the text to send.
    """
    event = Draft(AUTH_KIND, [["relay", relay], ["challenge", challenge]], "").signed(secret, now_s)
    return event.id, b'["AUTH",%b]' % encode_event(event)
