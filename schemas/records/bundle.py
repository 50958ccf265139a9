"""The `raw.bundles` topic: NDJSON, one line per received copy, with the event's bytes as they came.

    {"relay":"wss://relay.example","seen_at":1700000000000,"event":{…verbatim…}}

`relay` is null for events imported without one. Unknown members are ignored. A line without `event` says that a relay
was shown to hold an event that the archive has (NIP-77 tells ids only):

    {"relay":"wss://relay.example","seen_at":1700000000000,"id":"<64 hex digits>","created_at":1700000000}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import orjson

from schemas.json_text.scan import ScanError, members
from schemas.nostr.judge import CREATED_AT_END
from schemas.nostr.wire import one_line, usable_id

_RELAY = b'{"relay":'
_SEEN_AT = b',"seen_at":'
_EVENT = b',"event":{'
_SEEN_AT_LENGTH = len(_SEEN_AT)
_BEFORE_EVENT = len(_EVENT) - 1
_BRACE = ord("}")
_ZERO = ord("0")
_PLAIN_DIGITS = 15
"""So many decimal digits are always below `SEEN_AT_END_MS`."""
_MEMBER_MAY_FOLLOW = re.compile(rb"\}[ \t\r]*,")
_EVENT_MEMBER = b'"event"'
_HELD_MEMBERS = frozenset({"relay", "seen_at", "id", "created_at"})
_MEMBERS = "a line has relay, seen_at and event, or id and created_at instead of the event"
_BAD_SEEN_AT = "seen_at: must be an integer of milliseconds since 1970"
SEEN_AT_END_MS = 2**53
"""Integers below this are exact in every JSON library (RFC 8259 section 6)."""
_RELAYS_CACHED = 4096
"""A connector meets few hundred relays; each is encoded once."""


class BundleLine(NamedTuple):
    """One received copy: relay, time (milliseconds since 1970), verbatim bytes."""

    relay: str | None
    seen_at_ms: int
    event: bytes


class HeldLine(NamedTuple):
    """An event of the archive that a relay was shown to hold, and when (milliseconds since 1970).

    `created_at` (seconds) is the archive's: the writer of such a line has read it there together with the id.
    """

    relay: str
    seen_at_ms: int
    id: str
    created_at: int


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
    return b'{"relay":%b,"seen_at":%d,"event":%b}\n' % (_encoded(relay), seen_at_ms, one_line(event))


def encode_held_line(held: HeldLine) -> bytes:
    """Write what a relay was shown to hold as a line, line feed included."""
    return b'{"relay":%b,"seen_at":%d,"id":"%b","created_at":%d}\n' % (
        _encoded(held.relay),
        held.seen_at_ms,
        held.id.encode(),
        held.created_at,
    )


def decode_lines(value: bytes) -> Iterator[BundleLine | HeldLine | BadLine]:
    """Read a bundle line by line. Never raises: what is no copy comes as a `BadLine`.

    A line that begins as `encode_line` begins one is cut without decoding its event, so the event's bytes may be no
    JSON; validation says so. Lines of other writers are scanned, whatever the order and spacing of their members.
    """
    relays: dict[bytes, str | None] = {}
    for line in value.split(b"\n"):
        # Quotes inside the relay's string are escaped, so the marks cannot stand there.
        event = line.find(_EVENT)
        seen_at = line.find(_SEEN_AT, 0, event) if event > 0 else -1
        if seen_at > 0:
            head = line[:seen_at]
            digits = line[seen_at + _SEEN_AT_LENGTH : event]
            # JSON writes no zeros in front; a time of zero alone takes the exact way.
            plain = digits.isdigit() and digits[0] != _ZERO and len(digits) <= _PLAIN_DIGITS
            if plain and (head in relays or _learn(relays, head)):
                start = event + _BEFORE_EVENT
                # With no closing brace but the event's and the line's, nothing can follow the event.
                if (line.find(b"}", start) == len(line) - 2 and line[-1] == _BRACE) or _ends_with_event(line, start):
                    yield BundleLine(relays[head], int(digits), line[start:-1])
                    continue
        if line:
            yield _decode_exactly(line)


def _learn(relays: dict[bytes, str | None], head: bytes) -> bool:
    """Keep the relay of lines that begin so, if that is how `encode_line` begins them."""
    if not head.startswith(_RELAY):
        return False
    try:
        relay = orjson.loads(head[len(_RELAY) :])
    except orjson.JSONDecodeError:
        return False
    if relay is not None and (type(relay) is not str or not relay):
        return False
    relays[head] = relay
    return True


def _ends_with_event(line: bytes, start: int) -> bool:
    """Whether the event that begins there is the last thing in a line, whatever braces it has inside."""
    if not line.endswith(b"}}"):
        return False
    # Another member would follow a closing brace after a comma. If that is found it may still be inside a string.
    if _MEMBER_MAY_FOLLOW.search(line, start) is None:
        return True
    try:
        orjson.loads(line[start:-1])
    except orjson.JSONDecodeError:
        return False
    return True


def _decode_exactly(line: bytes) -> BundleLine | HeldLine | BadLine:
    # Where no bytes are to be kept as they are, the decoder is ten times as fast as the scanner.
    if _EVENT_MEMBER not in line:
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            fields = None
        if type(fields) is dict and "event" not in fields:
            return _held(line, fields)
    try:
        found = {orjson.loads(key): value for key, value in members(line)}
        if "event" not in found:
            return _held(line, {name: orjson.loads(found[name]) for name in _HELD_MEMBERS & found.keys()})
        relay = orjson.loads(found["relay"])
        seen_at_ms = orjson.loads(found["seen_at"])
    except KeyError as error:
        return BadLine(line, f"{error.args[0]}: is missing; {_MEMBERS}")
    except (ScanError, orjson.JSONDecodeError) as error:
        return BadLine(line, f"is not JSON: {error}")
    if relay is not None and (type(relay) is not str or not relay):
        return BadLine(line, "relay: must be a URL or null")
    if type(seen_at_ms) is not int or not 0 <= seen_at_ms < SEEN_AT_END_MS:
        return BadLine(line, _BAD_SEEN_AT)
    return BundleLine(relay, seen_at_ms, found["event"])


def _held(line: bytes, fields: dict[str, object]) -> HeldLine | BadLine:
    for name in ("relay", "seen_at"):
        if name not in fields:
            return BadLine(line, f"{name}: is missing; {_MEMBERS}")
    relay, seen_at_ms, created_at = fields["relay"], fields["seen_at"], fields.get("created_at")
    if type(relay) is not str or not relay:
        return BadLine(line, "relay: must be a URL; only an event may come from nowhere")
    if type(seen_at_ms) is not int or not 0 <= seen_at_ms < SEEN_AT_END_MS:
        return BadLine(line, _BAD_SEEN_AT)
    if "id" not in fields:
        return BadLine(line, "event: is missing, and so is id")
    event_id = usable_id(fields["id"])
    if event_id is None:
        return BadLine(line, "id: must be 64 lower-case hex digits")
    if type(created_at) is not int or not 0 <= created_at < CREATED_AT_END:
        return BadLine(line, "created_at: must be an integer of seconds that the archive can hold")
    return HeldLine(relay, seen_at_ms, event_id, created_at)


@lru_cache(_RELAYS_CACHED)
def _encoded(relay: str | None) -> bytes:
    return orjson.dumps(relay)
