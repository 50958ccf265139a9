"""What the relay sends (NIP-01, NIP-42, NIP-45, NIP-67, NIP-77), as the bytes of one message each."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

_TEXT_SHOWN = 400
"""Characters of a text: a message may name a field, and a client may call a field by 100,000 characters."""


def opening(subid: str) -> bytes:
    """An EVENT message up to its event; the event's JSON text and `]` follow."""
    return b'["EVENT",%b,' % orjson.dumps(subid)


def eose(subid: str, hints: Sequence[str]) -> bytes:
    """All stored events were sent; hints are those of NIP-67."""
    return orjson.dumps(["EOSE", subid, hints] if hints else ["EOSE", subid])


def closed(subid: str, text: str) -> bytes:
    """A REQ or COUNT was refused or has ended; the text begins with a machine-readable prefix."""
    return orjson.dumps(["CLOSED", subid, text[:_TEXT_SHOWN]])


def ok(event_id: str, text: str, *, is_accepted: bool) -> bytes:
    """The answer to EVENT and AUTH."""
    return orjson.dumps(["OK", event_id, is_accepted, text[:_TEXT_SHOWN]])


def notice(text: str) -> bytes:
    """Words about a message that has no other answer."""
    return orjson.dumps(["NOTICE", text[:_TEXT_SHOWN]])


def challenge(text: str) -> bytes:
    """What a client has to sign (NIP-42)."""
    return orjson.dumps(["AUTH", text])


def count(subid: str, number: int, *, is_exact: bool) -> bytes:
    """How many events match (NIP-45)."""
    return orjson.dumps(["COUNT", subid, {"count": number} if is_exact else {"count": number, "approximate": True}])


def neg_err(subid: str, text: str) -> bytes:
    """A reconciliation was refused (NIP-77)."""
    return orjson.dumps(["NEG-ERR", subid, text])
