"""Parsing: exact types, exact numbers, the same rules as the pydantic model, and no way for a text to break it."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.nostr.event import Event, encode_event, event_from_object, parse_event
from schemas.nostr.event_model import EventModel
from schemas.reasons import EventError, Reason
from tests.unit.schemas.strategies import events, json_values, spellings, texts, texts_with_surrogates

GOOD: dict[str, Any] = {
    "id": "a" * 64,
    "pubkey": "b" * 64,
    "created_at": 1,
    "kind": 1,
    "tags": [["t", "x"]],
    "content": "",
    "sig": "c" * 128,
}
BAD: list[tuple[str, str, Any]] = [
    ("id", "id", "a" * 63),
    ("id", "id", "A" * 64),
    ("id", "id", "a" * 64 + "\n"),
    ("id", "id", " " + "a" * 63),
    ("id", "id", "a " * 32),
    ("id", "id", "\u0661" * 64),
    ("id", "id", ["a"] * 64),
    ("id", "id", None),
    ("pubkey", "pubkey", "b" * 65),
    ("pubkey", "pubkey", 5),
    ("sig", "sig", "c" * 127 + "g"),
    ("sig", "sig", {}),
    ("created_at", "created_at", True),
    ("created_at", "created_at", 1.0),
    ("created_at", "created_at", "1"),
    ("created_at", "created_at", None),
    ("kind", "kind", False),
    ("kind", "kind", -1),
    ("kind", "kind", 1e300),
    ("tags", "tags", {}),
    ("tags", "tags", "tags"),
    ("tags", "tags[1]", [["a"], "b"]),
    ("tags", "tags[0]", [{"a": "b"}]),
    ("tags", "tags[1][2]", [["a"], ["b", "c", None]]),
    ("tags", "tags[0][0]", [[["a"]]]),
    ("content", "content", {"name": "x"}),
]


def refusal(value: Any) -> EventError | None:
    try:
        event_from_object(value)
    except EventError as error:
        return error
    return None


@given(events(texts_with_surrogates))
def test_what_is_written_is_read_back(event: Event) -> None:
    assert parse_event(encode_event(event)) == event


@given(events(texts), st.data())
def test_spelling_and_unknown_members_do_not_matter(event: Event, data: st.DataObject) -> None:
    extra = data.draw(st.dictionaries(texts.filter(lambda name: name not in Event._fields), json_values, max_size=2))
    fields = list({**extra, **event._asdict()}.items())
    raw = data.draw(spellings(dict(data.draw(st.permutations(fields)))))
    assert parse_event(raw) == event


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises(EventError):
        parse_event(raw)


@given(json_values)
def test_any_json_value_is_refused_with_a_short_sentence(value: Any) -> None:
    for place in ("id", "created_at", "tags", "content"):
        error = refusal({**GOOD, place: value})
        if error is not None:
            assert error.field is not None
            assert error.field.startswith(place)
            assert len(str(error)) < 200  # The value comes from strangers: its shape is named, never its text.


@pytest.mark.parametrize(("name", "field", "value"), BAD)
def test_wrong_fields_are_named(name: str, field: str, value: Any) -> None:
    with pytest.raises(EventError) as error:
        event_from_object({**GOOD, name: value})
    assert (error.value.reason, error.value.field) == (Reason.BAD_FIELD, field)
    assert field in str(error.value)
    assert by_model({**GOOD, name: value}) is None


@pytest.mark.parametrize("name", list(GOOD))
def test_missing_fields_are_named(name: str) -> None:
    with pytest.raises(EventError) as error:
        event_from_object({key: value for key, value in GOOD.items() if key != name})
    assert (error.value.reason, error.value.field) == (Reason.BAD_FIELD, name)
    assert by_model({key: value for key, value in GOOD.items() if key != name}) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", 2**64),
        (b"-9223372036854775809", -(2**63) - 1),
        (b"1" + b"0" * 4000, 10**4000),
        (b"-0", 0),
        (b"1.0", None),
        (b"1e3", None),
        (b"18446744073709551616.0", None),
        (b"1" + b"0" * 5000, None),
        (b"NaN", None),
        (b"Infinity", None),
        (b"01", None),
        (b"+1", None),
    ],
)
def test_numbers_are_told_apart_as_written(number: bytes, expected: int | None) -> None:
    raw = json.dumps(GOOD).encode().replace(b'"created_at": 1', b'"created_at":' + number)
    if expected is None:
        with pytest.raises(EventError):
            parse_event(raw)
    else:
        assert parse_event(raw).created_at == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        json.dumps(GOOD).encode("utf-16"),
        json.dumps(GOOD).encode() + b"x",
        json.dumps(GOOD).encode().replace(b'"content": ""', b'"content": "a\nb"'),
        json.dumps(GOOD).encode().replace(b'"content": ""', b'"content": "\xff"'),
        json.dumps(GOOD).encode().replace(b'"content": ""', b'"content": "\xed\xa0\x80"'),
        b'{"id":' + b"[" * 100_000,
        b'{"content":"\\ud800","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(EventError) as error:
        parse_event(raw)
    assert error.value.reason is Reason.NOT_JSON


def test_a_string_without_an_end_is_looked_at_once() -> None:
    with pytest.raises(EventError, match="is not JSON"):
        parse_event(b'{"content":"' + rb"\"" * 500_000)


def test_depth_is_judged_by_the_text_and_not_by_the_stack() -> None:
    raw = json.dumps({**GOOD, "content": "\ud800", "x": [[[]]]}).encode()
    deep = raw.replace(b"[[[]]]", b"[" * 200 + b"]" * 200)

    def at_depth(frames: int, text: bytes) -> Event:
        return at_depth(frames - 1, text) if frames else parse_event(text)

    assert at_depth(0, raw) == at_depth(500, raw)
    for frames in (0, 500):
        with pytest.raises(EventError, match="nests deeper than 64"):
            at_depth(frames, deep)


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(EventError(Reason.BAD_FIELD, "kind", "is wrong")))
    assert (error.reason, error.field, str(error)) == (Reason.BAD_FIELD, "kind", "kind: is wrong")


def by_rules(value: Any) -> Event | None:
    return None if refusal(value) else event_from_object(value)


def by_model(value: Any) -> Event | None:
    try:
        return EventModel.model_validate(value).to_event()
    except ValidationError:
        return None


@given(
    st.one_of(
        events(texts_with_surrogates).map(Event._asdict),
        st.fixed_dictionaries(
            {}, optional={name: st.one_of(st.just(value), json_values) for name, value in GOOD.items()}
        ),
        st.tuples(st.sampled_from(list(GOOD)), json_values).map(lambda change: {**GOOD, change[0]: change[1]}),
        st.sampled_from(BAD).map(lambda bad: {**GOOD, bad[0]: bad[2]}),
        json_values,
    )
)
def test_model_and_rules_accept_and_refuse_the_same(value: Any) -> None:
    assert by_model(value) == by_rules(value)


def test_model_and_rules_agree_on_edge_and_invalid_events(shared_data: Path) -> None:
    texts = [
        json.loads(line)["raw"] for line in (shared_data / "events_edge_synthetic.jsonl").read_bytes().splitlines()
    ]
    invalid = gzip.decompress((shared_data / "invalid-events.jsonl.gz").read_bytes()).splitlines()
    texts += [json.dumps(json.loads(line)["event"]) for line in invalid]
    for text in texts:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        assert by_model(value) == by_rules(value), text[:300]
