"""Reads what clients send (NIP-01, NIP-42, NIP-45, NIP-77), from text that may hold anything."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from api.relay import answers
from schemas.nostr.event import Event, event_from_object
from schemas.nostr.filter_wire import UnknownFieldError, filter_from_wire
from schemas.nostr.filters import Filter
from schemas.nostr.wire import usable_id
from schemas.reasons import EventError, shape

SUBID_CHARACTERS = 64
"""NIP-01."""
_VERBS = "REQ, CLOSE, COUNT, AUTH and EVENT"
_VERB_SHOWN = 20
"""Characters of a verb that is unknown: real ones are shorter."""


class Bounds(NamedTuple):
    """How much one REQ or COUNT may ask for.

    Attributes:
        filters: how many.
        filter_values: values of all their lists.
    """

    filters: int
    filter_values: int


class Req(NamedTuple):
    """Asks for stored events and then new ones."""

    subid: str
    filters: tuple[Filter, ...]
    size_bytes: int

    def refusal(self, text: str) -> bytes:
        """The answer where it is not served."""
        return answers.closed(self.subid, text)


class Count(NamedTuple):
    """Asks how many events match (NIP-45)."""

    subid: str
    filters: tuple[Filter, ...]

    def refusal(self, text: str) -> bytes:
        """The answer where it is not served."""
        return answers.closed(self.subid, text)


class Publish(NamedTuple):
    """An EVENT: to be refused, whatever it holds."""

    event_id: str

    def refusal(self, text: str) -> bytes:
        """The answer."""
        return answers.ok(self.event_id, text, is_accepted=False)


class Auth(NamedTuple):
    """Proves a public key (NIP-42); nothing of the event but its form has been checked."""

    event: Event

    def refusal(self, text: str) -> bytes:
        """The answer where it is not taken."""
        return answers.ok(self.event.id, text, is_accepted=False)


class Close(NamedTuple):
    """Ends a subscription; has no answer."""

    subid: str


class Refused(NamedTuple):
    """A message that cannot be served.

    Attributes:
        answer: says why.
        ended: the id of a subscription that the answer says has ended.
    """

    answer: bytes
    ended: str | None = None


ClientMessage = Req | Count | Publish | Auth | Close | Refused


def parse(text: str, bounds: Bounds) -> ClientMessage:
    """Read one message. Never raises: what is none comes as `Refused`."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Refused(answers.notice("invalid: the message is not JSON"))
    match message:
        case [("REQ" | "COUNT") as verb, str(subid), *filters] if _is_usable(subid):
            return _asking(verb, subid, filters, bounds, len(text.encode()))
        case ["CLOSE", str(subid), *_]:
            return Close(subid)
        case ["EVENT", {"id": str(event_id)}, *_] if usable_id(event_id) is not None:
            return Publish(event_id)
        case ["AUTH", dict(event), *_]:
            return _auth(event)
        case _:
            return Refused(_refusal(message))


def _asking(verb: str, subid: str, wire: list[object], bounds: Bounds, size: int) -> Req | Count | Refused:
    try:
        filters = _filters(wire, bounds)
    except ValueError as error:
        prefix = "unsupported" if isinstance(error, UnknownFieldError) else "invalid"
        return Refused(answers.closed(subid, f"{prefix}: {error}"), None if verb == "COUNT" else subid)
    return Count(subid, filters) if verb == "COUNT" else Req(subid, filters, size)


def _filters(wire: list[object], bounds: Bounds) -> tuple[Filter, ...]:
    if not 1 <= len(wire) <= bounds.filters:
        raise ValueError(f"there are {len(wire)} filters; give 1 to {bounds.filters}")
    filters = []
    for place, each in enumerate(wire):
        if type(each) is not dict:
            raise ValueError(f'filter {place}: is {shape(each)}; it must be an object such as {{"kinds":[1]}}')
        try:
            filters.append(filter_from_wire(each, nip19=False))
        except UnknownFieldError as error:
            raise UnknownFieldError(f"filter {place}: {error}") from None
        except ValueError as error:
            raise ValueError(f"filter {place}: {error}") from None
    values = sum(len(values) for each in filters for values in (each.ids, each.authors, each.kinds) if values)
    values += sum(len(values) for each in filters for values in each.tags.values())
    if values > bounds.filter_values:
        raise ValueError(f"the filters hold {values} values; give {bounds.filter_values} at most, or several REQs")
    return tuple(filters)


def _auth(wire: dict[str, object]) -> Auth | Refused:
    try:
        return Auth(event_from_object(wire))
    except EventError as error:
        event_id = usable_id(wire.get("id"))
        if event_id is None:
            return Refused(answers.notice(f"invalid: AUTH: {error}"))
        return Refused(answers.ok(event_id, f"invalid: {error}", is_accepted=False))


def _refusal(message: object) -> bytes:
    """The answer to what is not served."""
    match message:
        case ["NEG-OPEN" | "NEG-MSG" | "NEG-CLOSE", str(subid), *_] if _is_usable(subid):
            return answers.neg_err(subid, "blocked: NIP-77 is not supported; read the archive by REQ")
        case [("REQ" | "COUNT" | "NEG-OPEN" | "NEG-MSG" | "NEG-CLOSE") as verb, *rest]:
            text = f"{verb}: the id is {_shape(rest)}; it must be text of 1 to {SUBID_CHARACTERS} characters"
        case ["CLOSE", *rest]:
            text = f"CLOSE: the id is {_shape(rest)}; give that of a REQ"
        case [("EVENT" | "AUTH") as verb, *rest]:
            text = f"{verb}: what follows is {_shape(rest)}; it must be an event with an id of 64 hex digits"
        case [str(verb), *_]:
            return answers.notice(f"unsupported: {verb[:_VERB_SHOWN]!a} is not served; {_VERBS} are")
        case _:
            text = f"the message is {shape(message)}; it must be an array that begins with one of {_VERBS}"
    return answers.notice(f"invalid: {text}")


def _is_usable(subid: str) -> bool:
    return 1 <= len(subid) <= SUBID_CHARACTERS


def _shape(rest: list[object]) -> str:
    return shape(rest[0]) if rest else "missing"
