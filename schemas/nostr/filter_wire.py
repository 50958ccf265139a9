"""Filters as people and programs write them: the JSON object of a REQ (NIP-01), checked field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from schemas.nostr.event import ID_HEX
from schemas.nostr.filters import Filter
from schemas.nostr.nip19 import Wanted, forms, hex_of, is_encoded
from schemas.nostr.wire import usable_id
from schemas.reasons import shape

MAX_KIND = 65_535
"""NIP-01; events of other kinds are quarantined, so that no filter can ask for them."""
_FIELDS = "ids, authors, kinds, since, until, limit and tags such as #t"
_KEYS = {"ids": Wanted.EVENT_ID, "authors": Wanted.PUBLIC_KEY}
_KEY_TAGS = {
    "#e": Wanted.EVENT_ID,
    "#E": Wanted.EVENT_ID,
    "#q": Wanted.EVENT_ID,
    "#p": Wanted.PUBLIC_KEY,
    "#P": Wanted.PUBLIC_KEY,
}
"""Tags that hold ids and public keys (NIP-01, NIP-18, NIP-22)."""
_HEX_ONLY = f"{ID_HEX} lower-case hex digits"


class UnknownFieldError(ValueError):
    """A filter has a field that asks for something the archive cannot do, or that is none."""


def parse_filter(text: str | bytes) -> Filter:
    """Read a filter from JSON text.

    Raises:
        ValueError: names the field, the shape of its value and what it must be.
    """
    try:
        wire = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f'is not JSON ({error}); give an object such as {{"kinds":[1]}}') from None
    if type(wire) is not dict:
        raise ValueError(f'is {shape(wire)}; it must be an object such as {{"kinds":[1]}}')
    return filter_from_wire(wire)


def filter_from_wire(wire: Mapping[str, Any], *, nip19: bool = True) -> Filter:
    """A filter from its decoded JSON object, with stricter types than relays ask for: nothing is guessed.

    Args:
        wire: the object.
        nip19: ids and public keys may be written as in NIP-19, also as values of the tags that hold such; relays take
            hex alone.

    Raises:
        UnknownFieldError: names the field and those that are known.
        ValueError: names the field, the shape of its value and what it must be.
    """
    fields: dict[str, Any] = {}
    tags: dict[str, tuple[str, ...]] = {}
    for name, value in wire.items():
        if (wanted := _KEYS.get(name)) is not None:
            fields[name] = (
                _each(name, value, partial(_hex, wanted), forms(wanted))
                if nip19
                else _each(name, value, usable_id, _HEX_ONLY)
            )
        elif name == "kinds":
            fields[name] = _each(name, value, _kind, f"integers from 0 to {MAX_KIND}")
        elif name in ("since", "until", "limit"):
            if type(value) is not int or value < 0:
                what = "events" if name == "limit" else "Unix seconds"
                raise ValueError(f"{name}: is {shape(value)}; it must be an integer from 0, of {what}")
            fields[name] = value
        elif name == "search":
            raise UnknownFieldError(
                "search: the archive has no full-text search (NIP-50); leave it out and search the output"
            )
        elif len(name) == len("#t") and name[0] == "#" and name[1].isascii() and name[1].isalpha():
            read = partial(_tag_value if nip19 else _plain_tag_value, name)
            tags[name[1]] = _each(name, value, read, "texts, the first values of such tags")
        else:
            raise UnknownFieldError(f"{name}: is no field of a filter; these are: {_FIELDS} (a # and one letter)")
    return Filter(tags=tags, **fields)


def _each(name: str, values: object, read: Callable[[Any], Any], what: str) -> tuple[Any, ...]:
    """The values as they are read; one for which `read` gives None, or raises ValueError, is refused."""
    if type(values) is not list:
        raise ValueError(f"{name}: is {shape(values)}; it must be an array of {what}")
    if not values:
        raise ValueError(f"{name}: is an empty array, which would match nothing; leave it out or give {what}")
    found = []
    for place, value in enumerate(values):
        try:
            found.append(read(value))
        except ValueError as error:
            raise ValueError(f"{name}[{place}]: is {shape(value)}; {error}") from None
        if found[-1] is None:
            raise ValueError(f"{name}[{place}]: is {shape(value)}; it must be one of {what}")
    return tuple(found)


def _hex(wanted: Wanted, value: object) -> str | None:
    return hex_of(value, wanted) if isinstance(value, str) else None


def _kind(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MAX_KIND else None


def _tag_value(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return None
    wanted = _KEY_TAGS.get(name)
    return hex_of(value, wanted) if wanted is not None and is_encoded(value) else value


def _plain_tag_value(name: str, value: object) -> str | None:
    """A value as it stands; NIP-19's forms are refused where they would be taken for what they stand for."""
    if isinstance(value, str) and name in _KEY_TAGS and is_encoded(value):
        raise ValueError(f"it must be {_HEX_ONLY}")
    return value if isinstance(value, str) else None
