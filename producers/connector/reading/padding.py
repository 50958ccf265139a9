"""Tells how much of a copy's text is not the event: members, white space and escapes that an id does not cover.

Any relay can add these to any author's events, so they would be a way to have the archive store what no author signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.nostr.event import Event, encode_event, event_from_object
from schemas.reasons import EventError

SPARE_BYTES = 1024
"""Beside twice the canonical text: members of the relay (when it was received, where from) are common and small."""
_FACTOR = 2


class Trimmed(NamedTuple):
    """A copy without padding.

    Attributes:
        text: as it came, or the canonical text where it came with far more than that.
        padding_bytes: what the relay added beyond any usual spelling of the event.
    """

    text: bytes
    padding_bytes: int


def trim(text: bytes, fields: Mapping[str, Any]) -> Trimmed:
    """Replace the text of a copy that is above twice its canonical size and `SPARE_BYTES`.

    What is no event stays as it is: it is refused by its fields, whatever its size.

    Args:
        text: an event's bytes.
        fields: the same, decoded.
    """
    if len(text) <= SPARE_BYTES:
        return Trimmed(text, 0)
    try:
        event = event_from_object(fields)
    except EventError:
        return Trimmed(text, 0)
    canonical = encode_event(event)
    if len(text) <= _FACTOR * len(canonical) + SPARE_BYTES:
        return Trimmed(text, 0)
    return Trimmed(canonical, max(0, len(text) - _escaped_bytes(event) - SPARE_BYTES))


def _escaped_bytes(event: Event) -> int:
    r"""The size of the longest usual spelling: some libraries escape all that is not ASCII, which triples Cyrillic."""
    return len(json.dumps(event._asdict(), separators=(",", ":")))
