"""Events in every state that a copy can arrive in."""

from __future__ import annotations

from typing import Any

import orjson
from coincurve import PrivateKey

from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key, sign

SECRET = (3).to_bytes(32)
"""The private key of BIP-340's first test vector."""
PUBKEY = public_key(SECRET)


def event(content: str, *, kind: int = 1, created_at: int = 1_700_000_000, tags: list[Any] | None = None) -> Event:
    """A signed event; its tags may hold any JSON."""
    unsigned = Event("", PUBKEY, created_at, kind, tags or [], content, "")
    event_id = compute_id(unsigned)
    return unsigned._replace(id=event_id, sig=sign(SECRET, bytes.fromhex(event_id)))


def wire(made: Event) -> bytes:
    return encode_event(made)


def other_bytes(made: Event) -> bytes:
    """The same event in another order of its members."""
    return orjson.dumps(dict(reversed(list(made._asdict().items()))))


def other_signature(made: Event) -> Event:
    """The same event with another valid signature: BIP-340 signing may use any auxiliary randomness."""
    return made._replace(sig=PrivateKey(SECRET).sign_schnorr(bytes.fromhex(made.id), bytes([1]) * 32).hex())


def forged_signature(made: Event) -> Event:
    """Right id, with a signature of no key."""
    return made._replace(sig=made.sig[:-2] + ("00" if made.sig[-2:] != "00" else "01"))


def forged_content(made: Event) -> Event:
    """Right id and signature, with other content."""
    return made._replace(content=made.content + " and more")
