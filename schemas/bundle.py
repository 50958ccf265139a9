"""The `raw.bundles` topic: NDJSON, one line per received copy, with the event's bytes as they came.

    {"relay":"wss://relay.example","seen_at":1700000000000,"event":{…verbatim…}}

`relay` is null for events imported without one. A line without `event` is reserved for "this relay is shown to hold
that id" (`id` and `created_at` instead). Unknown members are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import orjson

from schemas.json_scan import ScanError, members
from schemas.wire import one_line

_START = b'{"relay":'
_SEEN_AT = b',"seen_at":'
_EVENT = b',"event":'
SEEN_AT_END_MS = 2**53
"""Integers below this are exact in every JSON library (RFC 8259 section 6)."""
_PLAIN_DIGITS = 15
"""So many decimal digits are always below `SEEN_AT_END_MS`."""
_RELAYS_CACHED = 4096
"""A process meets few hundred relays in its bundles; each is decoded once."""


class BundleLine(NamedTuple):
    """One received copy: where, when (milliseconds since 1970) and the verbatim bytes; None for a line without event."""

    relay: str | None
    seen_at_ms: int
    event: bytes | None


class BadLine(NamedTuple):
    """A line that is no copy, and what is wrong with it."""

    raw: bytes
    error: str


def encode_line(relay: str | None, seen_at_ms: int, event: bytes) -> bytes:
    """Write one copy as a line, line feed included.

    Args:
        relay: the normalised URL of the relay that sent it, or None.
        seen_at_ms: when it was received.
        event: its bytes, which must be one JSON object; white space that would break the line becomes spaces.

    Raises:
        EventError: `not_json`, for a raw line feed or carriage return inside a string (see `wire.one_line`).
    """
    return b'%b%b,"seen_at":%d,"event":%b}\n' % (_START, _encoded(relay), seen_at_ms, one_line(event))


def decode_lines(value: bytes) -> Iterator[BundleLine | BadLine]:
    """Read a bundle line by line. Never raises: what is no copy comes as a `BadLine`."""
    for line in value.split(b"\n"):
        if line:
            yield _decode_ours(line) or _decode_exactly(line)


def _decode_ours(line: bytes) -> BundleLine | None:
    """Read a line that begins as `encode_line` begins it; None if another writer's rules could apply."""
    # Neither mark can occur inside the relay's string, where a quote is escaped.
    seen_at = line.find(_SEEN_AT)
    event = line.find(_EVENT, seen_at)
    if seen_at < 0 or event < 0 or not line.startswith(_START) or not line.endswith(b"}"):
        return None
    digits = line[seen_at + len(_SEEN_AT) : event]
    if not digits.isdigit() or len(digits) > _PLAIN_DIGITS or digits.startswith(b"0"):
        return None
    try:
        relay = _decoded(line[len(_START) : seen_at])
    except ValueError:
        return None
    start = event + len(_EVENT)
    raw = line[start:-1]
    # An object with one closing brace, at its end, is the whole rest of the line. Otherwise a member may follow it.
    if (not raw.startswith(b"{") or raw.find(b"}") != len(raw) - 1) and not _is_json(raw):
        return None
    return BundleLine(relay, int(digits), raw)


def _decode_exactly(line: bytes) -> BundleLine | BadLine:
    try:
        found = {orjson.loads(key): value for key, value in members(line)}
        relay = orjson.loads(found["relay"])
        seen_at_ms = orjson.loads(found["seen_at"])
    except KeyError as error:
        return BadLine(line, f"{error.args[0]}: is missing; a line has relay, seen_at and event")
    except (ScanError, orjson.JSONDecodeError) as error:
        return BadLine(line, f"is not JSON: {error}")
    if relay is not None and (type(relay) is not str or not relay):
        return BadLine(line, "relay: must be a URL or null")
    if type(seen_at_ms) is not int or not 0 <= seen_at_ms < SEEN_AT_END_MS:
        return BadLine(line, "seen_at: must be an integer of milliseconds since 1970")
    if "event" not in found and "id" not in found:
        return BadLine(line, "event: is missing")
    return BundleLine(relay, seen_at_ms, found.get("event"))


def _is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


@lru_cache(_RELAYS_CACHED)
def _encoded(relay: str | None) -> bytes:
    return orjson.dumps(relay)


@lru_cache(_RELAYS_CACHED)
def _decoded(text: bytes) -> str | None:
    relay = orjson.loads(text)
    if relay is not None and (type(relay) is not str or not relay):
        raise ValueError("relay: must be a URL or null")
    return relay
