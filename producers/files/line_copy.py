"""Parses one line of a file of events: a copy as a relay might have sent it, or why it is none.

The importer sends it to the processor and `bigbrotr verify` validates it at once, so both say the same of every line.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import orjson

from producers.files.event_lines import Line
from schemas.nostr.wire import find_id, message_event
from schemas.reasons import EventError, Reason
from schemas.records.bundle import BadLine, BundleLine, decode_lines
from schemas.relay_urls.relay_url import RelayUrlError, normalize
from schemas.topics import RAW_LIMIT_BYTES

_COPY_STARTS = (b'{"relay":', b'{"event":')
"""How a line begins that says of an event where and when it was seen: those of a bundle and of the topic `events`."""
_RELAYS_CACHED = 4096
"""A file names a relay in many lines, and few relays."""


class LineCopy(NamedTuple):
    """A copy, and the id of its event, which decides the partition."""

    copy: BundleLine
    id: str


def read_line(line: Line, relay: str | None, seen_at_ms: int) -> LineCopy:
    """Read an event, an EVENT message of a relay or a client, or an event with where and when it was seen.

    Args:
        line: of the file.
        relay: normalised URL that the file came from, if any: of lines that name no other.
        seen_at_ms: of lines that name no time.

    Raises:
        EventError: `too_large`, `not_json`, `no_id`, or `bad_field` of what stands around the event.
    """
    if line.size_bytes > len(line.raw):  # Its end was never kept, so nothing can be told of it but its size.
        raise _too_large(line.size_bytes)
    copy = _copy(line.raw, relay, seen_at_ms)
    if len(copy.event) > RAW_LIMIT_BYTES:
        raise _too_large(len(copy.event))
    event_id = find_id(copy.event)
    if event_id is None:
        raise _no_event(copy.event)
    return LineCopy(copy, event_id)


def _copy(raw: bytes, relay: str | None, seen_at_ms: int) -> BundleLine:
    if raw.startswith(b"["):
        return BundleLine(relay, seen_at_ms, message_event(raw) or raw)
    if raw.startswith(_COPY_STARTS):
        for read in decode_lines(raw):
            if isinstance(read, BundleLine):
                return read._replace(relay=_normal(read.relay) if read.relay else relay)
            if isinstance(read, BadLine) and find_id(raw) is None:
                raise EventError(Reason.BAD_FIELD, None, read.error)
    return BundleLine(relay, seen_at_ms, raw)


@lru_cache(_RELAYS_CACHED)
def _normal(relay: str) -> str:
    try:
        return normalize(relay, allow_private=True).url
    except RelayUrlError as error:
        raise EventError(Reason.BAD_FIELD, "relay", str(error)) from None


def _too_large(size_bytes: int) -> EventError:
    return EventError(Reason.TOO_LARGE, None, f"the event has {size_bytes} bytes; at most {RAW_LIMIT_BYTES} are taken")


def _no_event(raw: bytes) -> EventError:
    try:
        decoded = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return EventError(Reason.NOT_JSON, None, "is not one JSON object")
    if isinstance(decoded, dict):
        return EventError(Reason.NO_ID, "id", "is missing or not 64 lower-case hex digits")
    if isinstance(decoded, list):
        return EventError(
            Reason.NOT_JSON,
            None,
            "is an array but no EVENT message; arrays of events are read from a file's first line on",
        )
    return EventError(Reason.NOT_JSON, None, "is JSON, but no object")
