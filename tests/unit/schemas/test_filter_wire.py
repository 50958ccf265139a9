"""Filters from JSON: what is right is taken as it is, what is wrong is named with its shape and the remedy."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.filter_wire import filter_from_wire, parse_filter
from schemas.nostr.filters import Filter

HEX = "ab" * 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kinds=1", "is not JSON"),
        ("[1]", "is an array of 1; it must be an object"),
        ('{"search":"x"}', "search: the archive has no full-text search"),
        ('{"kinds":["1"]}', "kinds[0]: is text of 1 characters; it must be one of integers from 0 to 65535"),
        ('{"kinds":[true]}', "kinds[0]: is true"),
        ('{"kinds":[65536]}', "kinds[0]: is the number 65536"),
        ('{"kinds":1}', "kinds: is the number 1; it must be an array"),
        ('{"kinds":[]}', "kinds: is an empty array, which would match nothing; leave it out"),
        ('{"authors":["npub1"]}', "it must be one of 64 lower-case hex digits (no npub1"),
        (json.dumps({"ids": [HEX.upper()]}), "ids[0]: is text of 64 characters"),
        ('{"since":1.5}', "since: is the number 1.5; it must be an integer from 0, of Unix seconds"),
        ('{"limit":-1}', "limit: is the number -1; it must be an integer from 0, of events"),
        ('{"#tt":["x"]}', "#tt: is no field of a filter"),
        ('{"#1":["x"]}', "#1: is no field of a filter"),
        ('{"#t":[1]}', "#t[0]: is the number 1"),
        ('{"author":["x"]}', "author: is no field of a filter; these are: ids, authors"),
    ],
)
def test_a_mistake_is_named_with_its_shape_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_filter(text)


def test_all_fields_are_read() -> None:
    wire = {
        "ids": [HEX],
        "authors": [HEX],
        "kinds": [0, 65535],
        "#t": ["a", ""],
        "since": 0,
        "until": 2**70,
        "limit": 0,
    }
    read = filter_from_wire(wire)
    assert read == Filter((HEX,), (HEX,), (0, 65535), {"t": ("a", "")}, 0, 2**70, 0)
    assert read.to_wire() == wire


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_value_ends_in_another_error(value: object) -> None:
    for name in ("ids", "authors", "kinds", "since", "until", "limit", "#t", "x"):
        with contextlib.suppress(ValueError):
            filter_from_wire({name: value})
