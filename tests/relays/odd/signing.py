"""Relays that serve only who has signed in (NIP-42), and the ways in which they say so, or do not."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.kinds import AUTH_KIND
from schemas.nostr.signature import verify
from tests.relays.odd.behaviour import Behaviour, Client, Question, Way

WORDS = "auth-required: this relay serves those who have signed in"
_CLOCK_S = 600
"""Between their clock and ours (NIP-42)."""


@dataclass
class SignIn(Behaviour):
    """Demands AUTH.

    Attributes:
        way: how a REQ is refused before.
        on_connect: whether the challenge comes with the connection, or with the first REQ.
        holds: whether a REQ that was not answered is answered once the client has signed in.
        lasts_s: a session; then comes a new challenge, and where the way is `closed`, CLOSED for what is open.
        per_request: an AUTH is good for one REQ.
        satisfied: whether an AUTH that it takes changes anything.
    """

    way: Way
    on_connect: bool = True
    holds: bool = False
    lasts_s: float | None = None
    per_request: bool = False
    satisfied: bool = True

    async def opened(self, client: Client) -> None:
        """Challenge."""
        if self.on_connect:
            await challenge(client)

    async def asked(self, client: Client, question: Question) -> bool:
        """Refuse a stranger."""
        if client.signed_in:
            client.signed_in = not self.per_request
            return False
        if client.challenge is None or self.per_request or not self.satisfied:
            await challenge(client)
        await client.refuse(question, self.way, WORDS)
        if self.holds:
            question.logged.outcome = "held"
            client.held.append(question)
        return True

    async def signed(self, client: Client, event: dict[str, Any]) -> bool:
        """Let the client in."""
        fault = _fault(client, event)
        await client.say("OK", event.get("id", ""), fault is None, f"invalid: {fault}" if fault else "")
        if fault is None and self.satisfied:
            client.signed_in = True
            if self.lasts_s is not None:
                client.later(self._expire(client, self.lasts_s))
            held, client.held = client.held, []
            for question in held:
                await client.relay.ask(client, question)
        return fault is None

    async def _expire(self, client: Client, lasts_s: float) -> None:
        await asyncio.sleep(lasts_s)
        client.signed_in = False
        await challenge(client)
        if self.way == "closed":
            for subid in list(client.open):
                await client.say("CLOSED", subid, "auth-required: the session has ended")
        client.open.clear()


async def challenge(client: Client) -> None:
    """Send a new challenge; the one before is void."""
    client.challenge = secrets.token_hex(16)
    await client.say("AUTH", client.challenge)


def _fault(client: Client, event: dict[str, Any]) -> str | None:
    """What is wrong with an answer to the challenge."""
    try:
        answer = Event(**event)
        tags = dict(tag[:2] for tag in answer.tags)
    except (TypeError, ValueError):
        return "not an event"
    if answer.kind != AUTH_KIND or abs(answer.created_at - time.time()) > _CLOCK_S:
        return "kind or date"
    if tags.get("challenge") != client.challenge:
        return "not the newest challenge"
    if urlsplit(tags.get("relay", "")).netloc != urlsplit(client.relay.url).netloc:
        return "another relay"
    if compute_id(answer) != answer.id or not verify(answer.pubkey, answer.id, answer.sig):
        return "id or signature"
    return None
