"""Filters from JSON: what is right is taken as it is, what is wrong is named with its shape and the remedy."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.filter_wire import UnknownFieldError, filter_from_wire, parse_filter
from schemas.nostr.filters import Filter

HEX = "ab" * 32
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"


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
        ('{"authors":["npub1"]}', "authors[0]: is text of 5 characters; it is no whole npub1…"),
        ('{"authors":["x"]}', "is text of 1 characters; it must be 64 lower-case hex digits, npub1… or nprofile1…"),
        ('{"authors":[1]}', "is the number 1; it must be one of 64 lower-case hex digits, npub1… or nprofile1…"),
        (json.dumps({"ids": [NPUB]}), "ids[0]: is text of 63 characters; it is a public key (npub1…)"),
        (json.dumps({"#e": [NPUB]}), "#e[0]: is text of 63 characters; it is a public key (npub1…)"),
        ('{"#p":["nsec1abc"]}', "#p[0]: is text of 8 characters; it is a secret key (nsec)"),
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


def test_keys_as_they_are_copied_make_the_same_filter() -> None:
    key = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
    copied = {"authors": [NPUB], "#p": [f"nostr:{NPUB}", "anything"], "#t": [NPUB]}
    assert filter_from_wire(copied) == Filter(authors=(key,), tags={"p": (key, "anything"), "t": (NPUB,)})


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_value_ends_in_another_error(value: object) -> None:
    for name in ("ids", "authors", "kinds", "since", "until", "limit", "#t", "x"):
        with contextlib.suppress(ValueError):
            filter_from_wire({name: value})


@pytest.mark.parametrize("name", ["ids", "authors", "#p", "#e"])
def test_where_nip19_is_not_taken_hex_is_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{name}[0]: is text of 63 characters; it must be")) as error:
        filter_from_wire({name: [NPUB]}, nip19=False)
    assert "npub" not in str(error.value)
    filter_from_wire({name: [HEX]}, nip19=False)


def test_other_tags_may_hold_any_text() -> None:
    wire = {"#t": [NPUB], "#p": ["no key"]}
    assert filter_from_wire(wire, nip19=False).tags == {"t": (NPUB,), "p": ("no key",)}


@pytest.mark.parametrize("name", ["search", "x", "#tt"])
def test_unknown_fields_are_told_from_wrong_values(name: str) -> None:
    with pytest.raises(UnknownFieldError):
        filter_from_wire({name: ["x"]})
