"""Relays of an answer: whatever the API sends, it is a list of relays or an error that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.finding.answers import MOST_RELAYS, AnswerError, compiled, relays_of
from schemas.relay_urls.relay_url import normalize

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
EXPRESSIONS = ("[]", "@", "relays[]", "[].url", "keys(@)", "[?contains(url, 'wss')].url", "sort_by(@, &url)[].url")


def read(value: Any, expression: str = "[]") -> list[str]:
    return list(relays_of(json.dumps(value).encode(), "application/json", compiled(expression)).relays)


def outcome(body: bytes, expression: str) -> list[str]:
    """The relays of an answer, or none where it is refused with a short sentence."""
    try:
        return list(relays_of(body, "", compiled(expression)).relays)
    except AnswerError as error:
        said = str(error)
    assert said.startswith("the ")
    assert len(said) < 300
    return []


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        (["wss://a.example", "wss://b.example/"], "[]"),
        ([["wss://a.example"], ["wss://b.example"]], "[]"),
        ([{"url": "wss://a.example"}, {"url": "wss://b.example"}], "[]"),
        ({"relays": ["wss://a.example", "wss://b.example"]}, "relays"),
        ({"data": [{"r": "wss://a.example", "up": True}, {"r": "wss://b.example", "up": True}]}, "data[?up].r"),
        ({"wss://a.example": {}, "wss://b.example": {}}, "keys(@)"),
    ],
)
def test_an_expression_finds_the_relays_of_an_answer(value: Any, expression: str) -> None:
    assert read(value, expression) == ["wss://a.example", "wss://b.example"]


def test_entries_that_are_no_public_relay_are_left_out() -> None:
    odd: list[Any] = [
        "ws://127.0.0.1",
        "ws://192.168.1.1:7777",
        "wss://umbrel.local",
        "http://a.example",
        None,
        5,
        {},
        [],
        "mention",
    ]
    assert read([*odd, "wss://a.example"]) == ["wss://a.example"]


def test_more_entries_than_there_are_relays_are_left_out() -> None:
    assert len(read([f"wss://a.example/{number}" for number in range(MOST_RELAYS + 5)])) == MOST_RELAYS


@pytest.mark.parametrize(
    ("body", "expression", "said"),
    [
        (b"<html>gone</html>", "[]", r"the answer \(17 bytes, called text/html\) is not JSON"),
        (b"", "[]", r"the answer \(0 bytes, called text/html\) is not JSON"),
        (b'["wss://a.example"', "[]", "is not JSON"),
        (b'"\xff"', "[]", "is not JSON"),
        (b"[" * 100_000, "[]", "is not JSON"),
        (b'{"relays":[]}', "[]", "finds null in the answer, an object of 1 members: write one that gives an array"),
        (b'{"relays":[]}', "@", "finds an object of 1 members in the answer"),
        (b'["wss://a.example"]', "[0]", "finds text of 15 characters in the answer, an array of 1"),
        (b"null", "@", "finds null"),
        (
            b"5",
            "keys(@)",
            r"the expression fails on the answer, the number 5 \(JMESPathTypeError\): write one that fits",
        ),
        (b'[1, "a"]', "sort(@)", "the expression fails on the answer, an array of 2"),
        (b"[]", "nothing(@)", "the expression fails on the answer"),
    ],
)
def test_an_answer_without_a_list_is_said_with_the_remedy(body: bytes, expression: str, said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        relays_of(body, "text/html", compiled(expression))


def test_an_answer_that_is_nested_deeply_ends_no_process() -> None:
    deep = b"[" * 1000 + b'"wss://a.example"' + b"]" * 1000
    for expression in ("[]", "@ == @", "to_string(@)", "[@, @][]"):
        assert outcome(deep, expression) == []


@given(VALUES, st.sampled_from(EXPRESSIONS))
def test_any_json_gives_public_relays_or_an_error(value: Any, expression: str) -> None:
    assert all(normalize(url).url == url for url in outcome(json.dumps(value).encode(), expression))


@given(st.binary(max_size=200))
def test_any_bytes_give_relays_or_an_error(body: bytes) -> None:
    assert all(normalize(url).url == url for url in outcome(body, "[]"))
