"""Parses a relay's messages besides EVENT (NIP-01, 42, 45, 67 and 77), from frames that may hold anything."""

from __future__ import annotations

from typing import NamedTuple

import orjson

_BOM = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"
TEXT_SHOWN = 200
"""Characters of a relay's own words that are kept: enough for a sentence, too few to flood a log or a status page."""
_MAX_HINTS = 16
"""NIP-67 names two; a list of thousands is not worth a set."""
_NO_HINTS: frozenset[str] = frozenset()
"""Each empty set would take 0.2 KB, and nearly all relays give none."""


class Eose(NamedTuple):
    """All stored events of a subscription were sent, as far as the relay wants to."""

    subid: str
    hints: frozenset[str]


class Closed(NamedTuple):
    """The relay ended a subscription; `prefix` is the machine-readable word before the first colon, or empty."""

    subid: str
    prefix: str
    text: str


class Notice(NamedTuple):
    """Words for people; a refusal that names no subscription often comes this way."""

    text: str


class Ok(NamedTuple):
    """The answer to an event that we sent, AUTH included."""

    event_id: str
    accepted: bool
    text: str


class Auth(NamedTuple):
    """A challenge of NIP-42."""

    challenge: str


class Counted(NamedTuple):
    """How many events a filter matches (NIP-45), as far as the relay tells."""

    subid: str
    number: int


class NegMsg(NamedTuple):
    """The relay's part of a reconciliation (NIP-77), in hex."""

    subid: str
    payload: str


class NegErr(NamedTuple):
    """The relay ended a reconciliation; `at_most`: so many records it would have compared, if it says that."""

    subid: str
    text: str
    at_most: int | None


class Unknown(NamedTuple):
    """A JSON array that begins with a word this client does not know: to be ignored."""

    verb: str


class Garbage(NamedTuple):
    """A frame that is no message, or one that is malformed, and what is wrong with it."""

    detail: str


Message = Eose | Closed | Notice | Ok | Auth | Counted | NegMsg | NegErr | Unknown | Garbage


def unwrapped(frame: bytes) -> bytes:
    """A frame without a byte order mark and white space around it; some relays send either."""
    return frame.removeprefix(_BOM).strip(_WHITE_SPACE)


def prefix_of(text: str) -> str:
    """The machine-readable prefix of a CLOSED or OK text (NIP-01): a lower-case word before a colon, or empty."""
    word, colon, _ = text.partition(":")
    return word.lower() if colon and word and " " not in word else ""


def parse_message(frame: bytes) -> Message:
    """Read a frame that is no event. Never raises: what is no message comes as `Garbage`."""
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return Garbage("is not JSON")
    match message:
        case ["EOSE", str(subid), list(hints), *_]:
            return Eose(subid, frozenset(hint for hint in hints[:_MAX_HINTS] if isinstance(hint, str)))
        case ["EOSE", str(subid), *_]:
            return Eose(subid, _NO_HINTS)
        case ["CLOSED", str(subid), *rest]:
            text = _text(rest)
            return Closed(subid, prefix_of(text), text)
        case ["NOTICE", *rest]:
            return Notice(_text(rest))
        case ["OK", str(event_id), bool(accepted), *rest]:
            return Ok(event_id, accepted, _text(rest))
        case ["AUTH", str(challenge), *_]:
            return Auth(challenge)
        case [("EVENT" | "EOSE" | "CLOSED" | "OK" | "AUTH") as verb, *_]:
            return Garbage(f"{verb} message without its parts")
        case [str(verb), *_]:
            return _optional(message) or Unknown(verb[:TEXT_SHOWN])
        case _:
            return Garbage("is JSON, but not an array that begins with a word")


def _optional(message: list[object]) -> Counted | NegMsg | NegErr | Garbage | None:
    """A message of NIP-45 or NIP-77."""
    match message:
        case ["COUNT", str(subid), {"count": int(number)}, *_] if number >= 0:
            return Counted(subid, number)
        case ["NEG-MSG", str(subid), str(payload), *_]:
            return NegMsg(subid, payload)
        # go-nostr writes the longer word.
        case ["NEG-ERR" | "NEG-ERROR", str(subid), *rest]:
            return NegErr(subid, _text(rest), _count(rest))
        case [("NEG-MSG" | "NEG-ERR" | "NEG-ERROR") as verb, *_]:
            return Garbage(f"{verb} message without its parts")
        case _:
            return None


def req(subid: str, wire_filter: dict[str, object]) -> bytes:
    """A REQ with one filter: with several, each has its own limit and the answer is not sorted as a whole."""
    return orjson.dumps(["REQ", subid, wire_filter])


def close(subid: str) -> bytes:
    """A CLOSE."""
    return orjson.dumps(["CLOSE", subid])


def count(subid: str, wire_filter: dict[str, object]) -> bytes:
    """A COUNT with one filter."""
    return orjson.dumps(["COUNT", subid, wire_filter])


def neg_open(subid: str, wire_filter: dict[str, object], payload: bytes) -> bytes:
    """A NEG-OPEN."""
    return orjson.dumps(["NEG-OPEN", subid, wire_filter, payload.hex()])


def neg_msg(subid: str, payload: bytes) -> bytes:
    """A NEG-MSG."""
    return orjson.dumps(["NEG-MSG", subid, payload.hex()])


def neg_close(subid: str) -> bytes:
    """A NEG-CLOSE."""
    return orjson.dumps(["NEG-CLOSE", subid])


def _text(rest: list[object]) -> str:
    return rest[0][:TEXT_SHOWN] if rest and isinstance(rest[0], str) else ""


def _count(rest: list[object]) -> int | None:
    count = rest[1] if len(rest) > 1 else None
    return count if type(count) is int and count >= 0 else None
