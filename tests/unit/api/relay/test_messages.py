"""Client messages are read whatever they hold: what is right as it is, what is wrong with an answer that is right."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from api.relay.messages import Auth, Bounds, ClientMessage, Close, Count, Publish, Refused, Req, parse
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filters import Filter
from tests.unit.schemas.strategies import events, hex32, json_values, texts

BOUNDS = Bounds(filters=3, filter_values=10)
VERBS = ["REQ", "COUNT", "CLOSE", "EVENT", "AUTH", "NEG-OPEN", "NEG-MSG", "NEG-CLOSE", "HELLO"]
ANSWERS = {"NOTICE": 2, "CLOSED": 3, "OK": 4, "NEG-ERR": 3}
PREFIXES = {"invalid", "unsupported", "blocked"}

subids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)
filters = st.builds(
    Filter,
    ids=st.none() | st.lists(hex32, min_size=1, max_size=2).map(tuple),
    authors=st.none() | st.lists(hex32, min_size=1, max_size=2).map(tuple),
    kinds=st.none() | st.lists(st.integers(0, 65_535), min_size=1, max_size=2).map(tuple),
    tags=st.dictionaries(st.sampled_from("tdeP"), st.lists(hex32, min_size=1, max_size=1).map(tuple), max_size=1),
    since=st.none() | st.integers(0, 2**62),
    until=st.none() | st.integers(0, 2**62),
    limit=st.none() | st.integers(0, 2**62),
)


def read(*message: Any) -> ClientMessage:
    return parse(json.dumps(message), BOUNDS)


@given(st.text() | st.text(st.sampled_from('[]{}",\\:REQ01')))
def test_any_text_has_an_answer(text: str) -> None:
    assert_is_answered(parse(text, BOUNDS))


@given(st.one_of(json_values, st.lists(st.sampled_from(VERBS) | json_values | texts).map(list)))
def test_any_json_has_an_answer(value: Any) -> None:
    assert_is_answered(parse(json.dumps(value), BOUNDS))


@given(st.sampled_from(VERBS), st.lists(json_values | texts | filters.map(Filter.to_wire)))
def test_any_message_has_an_answer(verb: str, rest: list[Any]) -> None:
    assert_is_answered(read(verb, *rest))


def assert_is_answered(message: ClientMessage) -> None:
    """What is refused has an answer of the right form, with a machine-readable prefix."""
    if isinstance(message, Refused):
        verb, *rest = orjson.loads(message.answer)
        assert len(rest) + 1 == ANSWERS[verb]
        assert rest[-1].split(":")[0] in PREFIXES
        assert len(rest[-1]) <= 400
    elif isinstance(message, Req | Count):
        assert 1 <= len(message.subid) <= 64
        assert 1 <= len(message.filters) <= BOUNDS.filters


@given(subids, st.lists(filters, min_size=1, max_size=3))
def test_req_and_count(subid: str, asked: list[Filter]) -> None:
    wire = [each.to_wire() for each in asked]
    values = sum(len(value) for each in wire for value in each.values() if isinstance(value, list))
    req, count = read("REQ", subid, *wire), read("COUNT", subid, *wire)
    if values > BOUNDS.filter_values:
        assert isinstance(req, Refused)
        assert isinstance(count, Refused)
        assert (req.ended, count.ended) == (subid, None)
    else:
        assert isinstance(req, Req)
        assert (req.subid, req.filters) == (subid, tuple(asked))
        assert count == Count(subid, tuple(asked))


@given(events())
def test_events_are_known_by_their_ids(event: Event) -> None:
    text = encode_event(event).decode()
    assert parse(f'["EVENT",{text}]', BOUNDS) == Publish(event.id)
    taken = parse(f'["AUTH",{text}]', BOUNDS)
    if isinstance(taken, Auth):
        assert taken.event == event
    else:  # integers beyond 64 bits
        assert isinstance(taken, Refused)
        assert orjson.loads(taken.answer)[:3] == ["OK", event.id, False]


@given(texts)
def test_close_names_any_subscription(subid: str) -> None:
    assert read("CLOSE", subid) == Close(subid)


def test_a_refused_req_ends_the_subscription_of_its_id() -> None:
    assert read("REQ", "a", {"x": 1}, {}) == Refused(
        b'["CLOSED","a","unsupported: filter 0: x: is no field of a filter; these are: ids, authors, kinds, since, '
        b'until, limit and tags such as #t (a # and one letter)"]',
        "a",
    )
