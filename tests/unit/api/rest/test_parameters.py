"""How parameters are read, and what is said of those that cannot be."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, StringConstraints

from api.rest.cursor import decode_cursor, decode_key, encode_cursor, encode_key
from api.rest.endpoint import Question
from api.rest.parameters import read_question
from api.rest.problem import ProblemError
from api.rest.question_types import EventId, Kind, PublicKey, UnixSeconds
from core.archive.event_query import Key

HEX = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
"""The same key, of NIP-19's own example."""
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"


class Wanted(Question):
    id: EventId | None = None
    kinds: list[Kind] | None = None
    authors: list[PublicKey] | None = None
    tag: dict[Annotated[str, StringConstraints(pattern="^[A-Za-z]$")], list[str]] = Field({}, description="Tags")
    since: UnixSeconds | None = None
    sort: str | None = Field(None, alias="order-by")


class Needed(Question):
    pubkey: PublicKey = Field(description="whose")


def read(query: str, **path: str) -> Wanted:
    return read_question(Wanted, path, query, {})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {}),
        ("&&", {}),
        ("kinds=1", {"kinds": [1]}),
        ("kinds=1,7&kinds=3", {"kinds": [1, 7, 3]}),
        ("kinds=1%2C7", {"kinds": [1, 7]}),
        ("kinds=1,%207", {"kinds": [1, 7]}),
        (f"authors={NPUB},{HEX}", {"authors": [HEX, HEX]}),
        (f"authors=nostr:{NPUB}", {"authors": [HEX]}),
        ("since=0012", {"since": 12}),
        ("order-by=x+y", {"sort": "x y"}),
        ("tag.t=a,b&tag.t=c&tag.T=d", {"tag": {"t": ["a", "b", "c"], "T": ["d"]}}),
        ("tag.t=a%2Cb", {"tag": {"t": ["a,b"]}}),
        ("tag.t=", {"tag": {"t": [""]}}),
        ("tag.t=%C3%A9+%00", {"tag": {"t": ["é \0"]}}),
        ("tag%2Et=a", {"tag": {"t": ["a"]}}),
    ],
)
def test_read(query: str, found: dict[str, object]) -> None:
    assert read(query).model_dump(exclude_unset=True) == found


def test_parameters_of_the_path_are_no_parameters_of_the_query() -> None:
    assert read("", id=HEX).id == HEX
    with pytest.raises(ProblemError, match="id: is no parameter here"):
        read(f"id={HEX}", id=HEX)


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("kind=1", "kind", "is no parameter here; these are: id, kinds, authors, tag.LETTER, since, order-by"),
        ("sort=x", "sort", "is no parameter here"),
        ("tag=x", "tag", "is no parameter here"),
        ("%0A=x", "a name of 1 characters", "is no parameter here"),
        ("x" * 200, "a name of 200 characters", "is no parameter here"),
        ("kinds=", "kinds", "kinds: is empty; leave it out, or give values that commas separate"),
        ("kinds=1,", "kinds", "kinds[1]: is empty; it must be an integer from 0, in decimal digits"),
        ("kinds=1,x", "kinds", "kinds[1]: is text of 1 characters; it must be an integer from 0"),
        ("kinds=65536", "kinds", "kinds[0]: is text of 5 characters; it must be less than or equal to 65535"),
        ("kinds=1_0", "kinds", "must be an integer"),
        ("kinds=%D9%A1", "kinds", "must be an integer"),  # a digit, but no ASCII
        ("since=1&since=2", "since", "since: is given 2 times; give it once"),
        ("since=" + "9" * 5000, "since", "since: is text of 5000 characters; it must be an integer"),
        ("since=9223372036854775808", "since", "less than or equal to 9223372036854775807"),
        ("authors=zz", "authors", "authors[0]: is text of 2 characters; it must be 64 lower-case hex digits, npub1"),
        (f"id={NPUB}", "id", "id: is text of 63 characters; it is a public key (npub1…), and the id of an event is"),
        ("tag.tt=x", "tag.tt", "tag.tt: is text of 2 characters; "),
        ("tag.=x", "tag.", "tag.: is empty; "),
        ("tag.t=%FF", "tag.t", "tag.t: is not UTF-8; encode each byte"),
        ("%FF=x", "%FF", "%FF: is not UTF-8"),
    ],
)
def test_what_is_wrong_is_named(query: str, parameter: str, detail: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read(query)
    assert caught.value.parameter == parameter
    assert detail in caught.value.detail
    assert caught.value.status == 400


def test_a_secret_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(ProblemError, match="secret key") as caught:
        read(f"authors={NSEC}")
    assert NSEC not in caught.value.detail


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ProblemError, match="pubkey: is missing; give it: whose"):
        read_question(Needed, {}, "", {})


def test_cursors_are_read_back() -> None:
    assert decode_cursor(encode_cursor(-5, "wss://é"), int, str) == [-5, "wss://é"]
    key = Key(2**63 - 1, bytes.fromhex(HEX))
    assert decode_key(encode_key(key)) == key


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "=" * 9,
        encode_cursor(1),
        encode_cursor("1", HEX),
        encode_cursor(1, HEX, 3),
        encode_cursor(1, "f"),
        encode_cursor(1, HEX.upper()),
        encode_cursor(2**63, HEX),
        encode_cursor(1, "\0"),
        encode_cursor(*[1] * 1000),
    ],
)
def test_other_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(ProblemError, match="cursor: is no cursor of this list"):
        decode_key(cursor)
