"""The `events` topic: one verified event per record, with the copy it was taken from and its facts.

    {"event":{…canonical…},"relay":"wss://relay.example","seen_at":1700000000000,"facts":{"class":"regular"}}

The key is the id's 32 bytes. `relay` is null for an event imported without one. The event's text is the canonical one
(`schemas.nostr.event.encode_event`); older records hold it as it was received.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from schemas.json_text.scan import members
from schemas.nostr.event import Event, parse_event
from schemas.reasons import EventError

_START = b'{"event":'
_RELAY = b',"relay":'


class EventRecord(NamedTuple):
    """A record of the `events` topic, decoded: the event, its text in the record, and the copy that was taken."""

    event: Event
    raw: bytes
    relay: str | None
    seen_at_ms: int
    facts: dict[str, object]


def encode(text: bytes, relay: str | None, seen_at_ms: int, facts: dict[str, object]) -> bytes:
    """Write a record.

    Args:
        text: of an accepted event.
        relay: the normalised URL of the relay that this copy came from, or None.
        seen_at_ms: when this copy was received, milliseconds since 1970.
        facts: as `schemas.nostr.facts.facts` states them.
    """
    return b'%b%b,"relay":%b,"seen_at":%d,"facts":%b}' % (
        _START,
        text,
        orjson.dumps(relay),
        seen_at_ms,
        orjson.dumps(facts),
    )


def decode(value: bytes) -> EventRecord:
    """Read a record, of this writer or another.

    Raises:
        ValueError: names the member that is wrong. The event's types are checked, its id and signature are not: the
            topic holds verified events.
    """
    # Quotes inside strings are escaped, and no fact is named so: the last such mark ends the event.
    mark = value.rfind(_RELAY)
    if mark > 0 and value.startswith(_START):
        raw = value[len(_START) : mark]
        try:
            rest = orjson.loads(b"{" + value[mark + 1 :])
            event = parse_event(raw)
        except (EventError, orjson.JSONDecodeError):
            return _decode_exactly(value)
        return _record(event, raw, rest)
    return _decode_exactly(value)


def _decode_exactly(value: bytes) -> EventRecord:
    found = {orjson.loads(key): text for key, text in members(value)}
    raw = found.pop("event", None)
    if raw is None:
        raise ValueError("event: is missing")
    try:
        event = parse_event(raw)
    except EventError as error:
        raise ValueError(f"event: {error}") from error
    return _record(event, raw, {key: orjson.loads(text) for key, text in found.items()})


def _record(event: Event, raw: bytes, rest: dict[str, object]) -> EventRecord:
    relay = rest.get("relay")
    seen_at_ms = rest.get("seen_at")
    facts = rest.get("facts")
    if relay is not None and type(relay) is not str:
        raise ValueError("relay: must be a URL or null")
    if type(seen_at_ms) is not int or seen_at_ms < 0:
        raise ValueError("seen_at: must be an integer of milliseconds since 1970")
    if type(facts) is not dict:
        raise ValueError("facts: must be an object")
    return EventRecord(event, raw, relay, seen_at_ms, facts)
