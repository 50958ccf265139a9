"""Events of our own: the id of one, and its signature."""

from __future__ import annotations

from typing import NamedTuple

from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key, sign


class Draft(NamedTuple):
    """What an event is to say. Who says it, and when, comes with the signature."""

    kind: int
    tags: list[list[str]]
    content: str

    def unsigned(self, author: str, at_s: int) -> Event:
        """The event of an author (64 hex digits) at a time, with its id and without a signature."""
        event = Event("", author, at_s, self.kind, self.tags, self.content, "")
        return event._replace(id=compute_id(event))

    def signed(self, secret: bytes, at_s: int) -> Event:
        """The event of whose secret key (32 bytes) it is, dated at `at_s`, Unix seconds."""
        event = self.unsigned(public_key(secret), at_s)
        return event._replace(sig=sign(secret, bytes.fromhex(event.id)))
