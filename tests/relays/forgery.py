"""Copies of a genuine event that only a check of id and signature tells from it."""

from __future__ import annotations

from coincurve import PrivateKey

from schemas.nostr.event import encode_event, parse_event


def with_another_signature(event: bytes) -> bytes:
    """The right id, with a signature that is well formed but not the author's."""
    genuine = parse_event(event)
    forger = PrivateKey(b"\x01" * 32)
    return encode_event(genuine._replace(sig=forger.sign_schnorr(bytes.fromhex(genuine.id)).hex()))


def with_another_content(event: bytes) -> bytes:
    """The right id and signature, with words that the author never wrote."""
    genuine = parse_event(event)
    return encode_event(genuine._replace(content=genuine.content + " (send coins here)"))
