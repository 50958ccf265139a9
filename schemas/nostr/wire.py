"""Bytes on the wire: the event inside a relay's frame exactly as it was sent, its id, and its form on one line.

Everything here is exact about JSON text without decoding it: brackets inside strings, escapes, white space and extra
elements do not mislead. The fast paths use orjson; texts that it refuses although they are JSON (lone surrogates,
integers of hundreds of digits) take the scanner, `json_scan.py`.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import orjson

from schemas.json_text.scan import ScanError, elements, members, newline_in_string, spaced
from schemas.reasons import EventError, Reason

_OPENING = b'["EVENT","'
"""How nearly every event frame begins."""
_EVENT_FRAME_ITEMS = 3
"""Verb, subscription, event (NIP-01). Further ones are ignored."""
_BACKSLASH = ord("\\")
_HEX_DIGITS = 64


class EventFrame(NamedTuple):
    """An EVENT message of a relay.

    Attributes:
        subid: the subscription id that the relay answers.
        event: the event's bytes exactly as they stood in the frame.
    """

    subid: str
    event: bytes


class OpenedFrame(NamedTuple):
    """An EVENT message of a relay, decoded once for everything that a connector asks of it.

    Attributes:
        subid: the subscription id that the relay answers.
        event: the event's bytes exactly as they stood in the frame.
        fields: the decoded object, unchecked and with integers beyond 64 bits as floats, or None where only the
            scanner could read the frame.
    """

    subid: str
    event: bytes
    fields: dict[str, object] | None


def open_event_frame(frame: bytes) -> OpenedFrame | None:
    """Take an EVENT message apart.

    Returns:
        None if the frame is not JSON of the form `["EVENT", text, object, …]`, a raw line feed or carriage return
        inside a string included: that is not JSON, and written on one line it would become other JSON.
    """
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return _open_exactly(frame)
    if (
        type(message) is not list
        or len(message) < _EVENT_FRAME_ITEMS
        or message[0] != "EVENT"
        or type(message[1]) is not str
        or type(message[2]) is not dict
    ):
        return None
    # In a JSON array of three that begins and ends so, all between is the event.
    if len(message) == _EVENT_FRAME_ITEMS and frame.startswith(_OPENING) and frame.endswith(b"}]"):
        end = frame.find(b'"', len(_OPENING))
        # A quote behind a backslash may be part of the subscription's text.
        if frame[end - 1] != _BACKSLASH and frame[end + 1 : end + 3] == b",{":
            return OpenedFrame(message[1], frame[end + 2 : -1], message[2])
    opened = _open_exactly(frame)
    return opened and OpenedFrame(opened.subid, opened.event, message[2])


def split_event_frame(frame: bytes) -> EventFrame | None:
    """The subscription and the verbatim event bytes of an EVENT message; None as for `open_event_frame`."""
    opened = open_event_frame(frame)
    return EventFrame(opened.subid, opened.event) if opened else None


def message_event(message: bytes) -> bytes | None:
    """The event of an EVENT message as it stands there, also of one that a client sends: `["EVENT",{…}]`."""
    if (opened := open_event_frame(message)) is not None:
        return opened.event
    try:
        verb, event, *_ = elements(message)
        return event if event.startswith(b"{") and json.loads(verb) == "EVENT" else None
    except ValueError:
        return None


def find_id(raw: bytes) -> str | None:
    r"""The id of an event by its text: the last member `id` of the outermost object, also if written `"\u0069d"`.

    Returns:
        64 lower-case hex digits, or None if the text is not one JSON object, has no such member, or has something else
        in it: then no partition can be chosen, and validation would refuse the event in any case.
    """
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _find_id_exactly(raw)
    return usable_id(fields.get("id")) if type(fields) is dict else None


def usable_id(value: object) -> str | None:
    """A value, if it can be an event id: 64 lower-case hex digits."""
    if type(value) is not str or len(value) != _HEX_DIGITS:
        return None
    try:
        return value if bytes.fromhex(value).hex() == value else None
    except ValueError:
        return None


def one_line(raw: bytes) -> bytes:
    """An event's bytes with every raw line feed and carriage return, which JSON allows only between tokens, as a space.

    Raises:
        EventError: `not_json`, if one stands inside a string. Replaced there it would turn text that is not JSON into
            JSON of another meaning, and a verdict would depend on whether the event had been in a bundle.
    """
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    if newline_in_string(raw):
        raise EventError(Reason.NOT_JSON, None, "a raw line feed or carriage return stands inside a string")
    return spaced(raw)


def _open_exactly(frame: bytes) -> OpenedFrame | None:
    try:
        verb, subid, event, *_ = elements(frame)
        # Nothing but texts is decoded: brackets may nest deeper than the decoder can follow.
        if not (verb.startswith(b'"') and subid.startswith(b'"') and event.startswith(b"{")):
            return None
        return OpenedFrame(json.loads(subid), event, None) if json.loads(verb) == "EVENT" else None
    except ValueError:
        return None


def _find_id_exactly(raw: bytes) -> str | None:
    found: bytes | None = None
    try:
        for key, value in members(raw):
            if json.loads(key) == "id":
                found = value
        return usable_id(json.loads(found)) if found is not None else None
    except (ValueError, RecursionError):
        return None


__all__ = [
    "EventFrame",
    "OpenedFrame",
    "ScanError",
    "find_id",
    "message_event",
    "one_line",
    "open_event_frame",
    "split_event_frame",
    "usable_id",
]
