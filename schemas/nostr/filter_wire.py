"""Filters as people and programs write them: the JSON object of a REQ (NIP-01), checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from schemas.nostr.event import ID_HEX
from schemas.nostr.filters import Filter
from schemas.nostr.wire import usable_id
from schemas.reasons import shape

MAX_KIND = 65_535
"""NIP-01; events of other kinds are quarantined, so that no filter can ask for them."""
_FIELDS = "ids, authors, kinds, since, until, limit and tags such as #t"


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


def filter_from_wire(wire: Mapping[str, Any]) -> Filter:
    """A filter from its decoded JSON object, with stricter types than relays ask for: nothing is guessed.

    Raises:
        ValueError: names the field, the shape of its value and what it must be.
    """
    fields: dict[str, Any] = {}
    tags: dict[str, tuple[str, ...]] = {}
    for name, value in wire.items():
        if name in ("ids", "authors"):
            fields[name] = _each(name, value, _is_hex, f"{ID_HEX} lower-case hex digits (no {_BECH32[name]})")
        elif name == "kinds":
            fields[name] = _each(name, value, _is_kind, f"integers from 0 to {MAX_KIND}")
        elif name in ("since", "until", "limit"):
            if type(value) is not int or value < 0:
                what = "events" if name == "limit" else "Unix seconds"
                raise ValueError(f"{name}: is {shape(value)}; it must be an integer from 0, of {what}")
            fields[name] = value
        elif name == "search":
            raise ValueError("search: the archive has no full-text search (NIP-50); leave it out and search the output")
        elif len(name) == len("#t") and name[0] == "#" and name[1].isascii() and name[1].isalpha():
            tags[name[1]] = _each(name, value, _is_text, "texts, the first values of such tags")
        else:
            raise ValueError(f"{name}: is no field of a filter; these are: {_FIELDS} (a # and one letter)")
    return Filter(tags=tags, **fields)


_BECH32 = {"ids": "note1… or nevent1…", "authors": "npub1… or nprofile1…"}


def _each(name: str, values: object, fits: Any, what: str) -> tuple[Any, ...]:
    if type(values) is not list:
        raise ValueError(f"{name}: is {shape(values)}; it must be an array of {what}")
    if not values:
        raise ValueError(f"{name}: is an empty array, which would match nothing; leave it out or give {what}")
    for place, value in enumerate(values):
        if not fits(value):
            raise ValueError(f"{name}[{place}]: is {shape(value)}; it must be one of {what}")
    return tuple(values)


def _is_hex(value: object) -> bool:
    return usable_id(value) is not None


def _is_kind(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_KIND


def _is_text(value: object) -> bool:
    return type(value) is str
