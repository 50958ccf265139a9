"""The Nostr event (NIP-01): exact parsing of its wire text, and its canonical text.

The rules are hand-written because they run once per received copy; `event_model.py` states them again as a pydantic
model, and a test holds that both accept and refuse the same inputs.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any, NamedTuple

import orjson

from schemas.json_text.exact import decode_exactly, dumps_exactly
from schemas.reasons import EventError, Reason, shape

ID_HEX = 64
"""An id and a public key are 32 bytes, in lower-case hex (NIP-01)."""
SIG_HEX = 128
"""A BIP-340 signature is 64 bytes, in lower-case hex."""

_LOWER_HEX = re.compile(r"[0-9a-f]*")


class Event(NamedTuple):
    """A Nostr event whose fields have the types of NIP-01. Says nothing about its id or signature being right.

    Attributes:
        id: 64 lower-case hex digits.
        pubkey: 64 lower-case hex digits, the x-only key of the author.
        created_at: seconds since 1970 as the author states them; any integer, of any size and sign.
        kind: an integer from 0; values above 65535 circulate.
        tags: arrays of strings, possibly empty ones.
        content: any text, NUL and lone surrogates included.
        sig: 128 lower-case hex digits.
    """

    id: str
    pubkey: str
    created_at: int
    kind: int
    tags: list[list[str]]
    content: str
    sig: str


class OddTagsError(EventError):
    """`bad_field`: tags hold something else than text, and all other fields are right. Such events are signed, too.

    Attributes:
        event: the event, each tag cut off before the first item that is no text; a tag that is no array is empty.
    """

    def __init__(self, field: str, detail: str, event: Event) -> None:
        super().__init__(Reason.BAD_FIELD, field, detail)
        self.event = event

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error travel between processes."""
        return type(self), (self.field, self.detail, self.event)


def parse_event(raw: bytes) -> Event:
    """Read one event from its wire text.

    Field order, white space, escapes and unknown members are free; of a member that is there twice the last counts.
    Numbers are told apart as written: `1.0` and `1e3` are no integers, integers of any size are.

    Args:
        raw: UTF-8 JSON text of one object.

    Raises:
        EventError: `not_json` or `bad_field`.
        OddTagsError: as `event_from_object`.
    """
    try:
        obj = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return event_from_object(decode_exactly(raw))
    # orjson turns integers beyond 64 bits into floats.
    if type(obj) is dict and (type(obj.get("created_at")) is float or type(obj.get("kind")) is float):
        obj = decode_exactly(raw)
    return event_from_object(obj)


def event_from_object(obj: object) -> Event:
    """Apply the field rules of `parse_event` to JSON that is decoded already.

    Raises:
        EventError: `bad_field`.
        OddTagsError: nothing is wrong but tags that hold something else than text.
    """
    if type(obj) is not dict:
        raise EventError(Reason.BAD_FIELD, None, f"the event is {shape(obj)}; it must be an object")
    try:
        event = Event(obj["id"], obj["pubkey"], obj["created_at"], obj["kind"], obj["tags"], obj["content"], obj["sig"])
    except KeyError as error:
        raise EventError(Reason.BAD_FIELD, str(error.args[0]), "is missing; an event has all seven fields") from None
    event_id, pubkey, created_at, kind, tags, content, sig = event
    if not _are_hex(event_id, pubkey, sig):
        raise _hex_error(event_id, pubkey, sig)
    # `type(x) is int` because True is an int too.
    if type(created_at) is not int:
        raise EventError(Reason.BAD_FIELD, "created_at", f"is {shape(created_at)}; it must be an integer of seconds")
    if type(kind) is not int or kind < 0:
        raise EventError(Reason.BAD_FIELD, "kind", f"is {shape(kind)}; it must be an integer from 0 to 65535")
    if type(tags) is not list:
        raise EventError(Reason.BAD_FIELD, "tags", f"is {shape(tags)}; it must be an array of arrays of strings")
    if type(content) is not str:
        raise EventError(Reason.BAD_FIELD, "content", f"is {shape(content)}; it must be text")
    if not _are_strings(tags):
        raise _tag_error(event)
    return event


def encode_event(event: Event) -> bytes:
    """Write an event as compact JSON in the field order of NIP-01; lone surrogates become the escapes they came as."""
    fields = event._asdict()
    try:
        return orjson.dumps(fields)
    except TypeError:
        return dumps_exactly(fields)


def _are_hex(event_id: Any, pubkey: Any, sig: Any) -> bool:
    """Whether the three fields are lower-case hex of the right lengths.

    Decoding and encoding again is the quickest exact test: it fails on upper case and on the white space that
    `bytes.fromhex` forgives. Doing it once for the three saves half of its time.
    """
    try:
        digits = event_id + pubkey + sig
        return (
            len(event_id) == ID_HEX
            and len(pubkey) == ID_HEX
            and len(sig) == SIG_HEX
            and bytes.fromhex(digits).hex() == digits
        )
    except (TypeError, ValueError):
        return False


def _hex_error(event_id: object, pubkey: object, sig: object) -> EventError:
    for field, value, length in (("id", event_id, ID_HEX), ("pubkey", pubkey, ID_HEX), ("sig", sig, SIG_HEX)):
        if type(value) is not str or len(value) != length or not _LOWER_HEX.fullmatch(value):
            detail = f"is {shape(value)}; it must be {length} lower-case hex digits"
            return EventError(Reason.BAD_FIELD, field, detail)
    raise AssertionError("called although the three are hex")


def _are_strings(tags: list[Any]) -> bool:
    """Whether tags are arrays of strings."""
    try:
        for tag in tags:
            if type(tag) is not list:
                return False
            "".join(tag)  # The quickest test that all items are strings.
    except TypeError:
        return False
    return True


def _tag_error(event: Event) -> OddTagsError:
    """Name the first tag or item that is wrong, and keep what can be read."""
    tags: list[object] = list(event.tags)
    texts = [list(takewhile(_is_text, tag)) if isinstance(tag, list) else [] for tag in tags]
    for place, (tag, text) in enumerate(zip(tags, texts, strict=True)):
        if not isinstance(tag, list):
            field, detail = f"tags[{place}]", f"is {shape(tag)}; it must be an array of strings"
        elif len(text) < len(tag):
            field, detail = f"tags[{place}][{len(text)}]", f"is {shape(tag[len(text)])}; it must be text"
        else:
            continue
        return OddTagsError(field, detail, event._replace(tags=texts))
    raise AssertionError("called although the tags are arrays of strings")


def _is_text(item: object) -> bool:
    return type(item) is str
