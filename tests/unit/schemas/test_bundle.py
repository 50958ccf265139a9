"""Bundles: any copy comes back byte for byte, lines of other writers are read, and nothing makes the reader fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.nostr.event import Event, encode_event
from schemas.reasons import EventError, Reason
from schemas.records.bundle import BadLine, BundleLine, HeldLine, decode_lines, encode_held_line, encode_line
from tests.unit.schemas.strategies import events, json_values, signed, spellings, texts, texts_with_surrogates

RELAY = "wss://relay.example"
relays = st.one_of(st.none(), texts.filter(bool))
times = st.integers(0, 2**53 - 1)


@pytest.mark.slow
@given(st.lists(st.tuples(relays, times, events(texts_with_surrogates)), max_size=5))
def test_copies_come_back_byte_for_byte(copies: list[tuple[str | None, int, Event]]) -> None:
    received = [(relay, time, encode_event(event)) for relay, time, event in copies]
    value = b"".join(encode_line(*copy) for copy in received)
    assert list(decode_lines(value)) == [BundleLine(*copy) for copy in received]


@given(relays, times, st.dictionaries(texts_with_surrogates, json_values, max_size=4), st.data())
def test_any_object_in_any_spelling_comes_back(
    relay: str | None, time: int, value: dict[str, Any], data: st.DataObject
) -> None:
    raw = data.draw(spellings(value))
    (line,) = decode_lines(encode_line(relay, time, raw))
    assert isinstance(line, BundleLine)
    assert (line.relay, line.seen_at_ms) == (relay, time)
    assert line.event.strip() == raw.replace(b"\n", b" ").replace(b"\r", b" ").strip()
    assert json.loads(line.event) == value


@given(
    relays,
    times,
    st.dictionaries(texts, json_values, max_size=3),
    st.dictionaries(
        texts.filter(lambda name: name not in ("relay", "seen_at", "event", "id")), json_values, max_size=3
    ),
    st.data(),
)
def test_lines_of_other_writers_are_read(
    relay: str | None, time: int, event: dict[str, Any], extra: dict[str, Any], data: st.DataObject
) -> None:
    members = [("relay", relay), ("seen_at", time), ("event", event), *extra.items()]
    raw = data.draw(spellings(dict(data.draw(st.permutations(members))))).replace(b"\n", b" ")
    (line,) = decode_lines(raw)
    assert isinstance(line, BundleLine), line
    assert (line.relay, line.seen_at_ms, json.loads(line.event)) == (relay, time, event)


@given(st.binary())
@example(b'{"relay":null,"seen_at":1,"event":{}}\n{"relay":null,"seen_at":1}')
@example(b'{"relay":null,"seen_at":1,"event":{')
def test_any_bytes_are_read_line_by_line(value: bytes) -> None:
    lines = list(decode_lines(value))
    assert len(lines) == sum(1 for line in value.split(b"\n") if line)
    for line, raw in zip(lines, (line for line in value.split(b"\n") if line), strict=True):
        if isinstance(line, BadLine):
            assert line.raw == raw
            assert line.error


EVENT = '{"id":"x"}'


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("x", "is not JSON"),
        ("[]", "is not JSON"),
        (f'{{"seen_at":1,"event":{EVENT}}}', "relay: is missing"),
        (f'{{"relay":"r","event":{EVENT}}}', "seen_at: is missing"),
        ('{"relay":"r","seen_at":1}', "event: is missing"),
        (f'{{"relay":5,"seen_at":1,"event":{EVENT}}}', "relay: must be"),
        (f'{{"relay":"","seen_at":1,"event":{EVENT}}}', "relay: must be"),
        (f'{{"relay":"r","seen_at":-1,"event":{EVENT}}}', "seen_at: must be"),
        (f'{{"relay":"r","seen_at":1.0,"event":{EVENT}}}', "seen_at: must be"),
        (f'{{"relay":"r","seen_at":true,"event":{EVENT}}}', "seen_at: must be"),
        (f'{{"relay":"r","seen_at":{2**53},"event":{EVENT}}}', "seen_at: must be"),
        (f'{{"relay":"r","seen_at":01,"event":{EVENT}}}', "is not JSON"),
        (f'{{"relay":"r","seen_at":1_0,"event":{EVENT}}}', "is not JSON"),
        (f'{{"relay":"r","seen_at":"1","event":{EVENT}}}', "seen_at: must be"),
        (f'{{"relay":"\\ud800","seen_at":1,"event":{EVENT}}}', "is not JSON"),
        (f'{{"relay":"r","seen_at":1,"event":{EVENT}}}x', "is not JSON"),
        (f'{{"relay":"r","seen_at":1,"event":{EVENT}', "is not JSON"),
        (f'{{"relay":"r","seen_at":1,"event":{EVENT}x', "is not JSON"),
    ],
)
def test_bad_lines_say_what_is_wrong_and_harm_no_other(line: str, error: str) -> None:
    good = encode_line(RELAY, 1, EVENT.encode())
    before, bad, after = decode_lines(good + line.encode() + b"\n" + good)
    assert before == after == BundleLine(RELAY, 1, EVENT.encode())
    assert isinstance(bad, BadLine)
    assert bad.error.startswith(error)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        # Members of other writers behind an event that begins as ours do.
        ('{"relay":null,"seen_at":1,"event":{"a":1},"more":{"b":{}}}', '{"a":1}'),
        ('{"relay":null,"seen_at":1,"event":{"a":1} , "more":{"b":2}}', '{"a":1}'),
        ('{"relay":null,"seen_at":1,"event":{"a":1},"event":{"b":2}}', '{"b":2}'),
        # The same bytes inside a string.
        ('{"relay":null,"seen_at":1,"event":{"a":"},"}}', '{"a":"},"}'),
        ('{"relay":null,"seen_at":1,"event":{"a":"\\ud800},","b":"}"}}', '{"a":"\\ud800},","b":"}"}'),
        ('{"relay":null,"seen_at":1,"event":{"a":{},"b":{}}}', '{"a":{},"b":{}}'),
        ('{"relay":null,"seen_at":0,"event":{}}', "{}"),
        # An event that is none: its bytes are kept for the verdict.
        ('{"relay":null,"seen_at":1,"event":{nonsense}}', "{nonsense}"),
        ('{"relay":null,"seen_at":1,"event":5}', "5"),
    ],
)
def test_the_event_ends_where_it_ends(line: str, event: str) -> None:
    assert list(decode_lines(line.encode())) == [BundleLine(None, 1 if '"seen_at":1' in line else 0, event.encode())]


ID = "0a" * 32
HELD = f'"id":"{ID}","created_at":5'


@given(texts.filter(bool), times, st.binary(min_size=32, max_size=32), st.integers(0, 2**40 - 1))
def test_what_a_relay_holds_comes_back(relay: str, time: int, event_id: bytes, created_at: int) -> None:
    held = HeldLine(relay, time, event_id.hex(), created_at)
    assert list(decode_lines(encode_held_line(held))) == [held]


@pytest.mark.parametrize(
    "line",
    [
        f'{{"relay":"r","seen_at":1,{HELD}}}',
        f' {{ {HELD} , "seen_at" : 1, "relay":"\\u0072" }} ',
        f'{{"relay":"r","seen_at":1,{HELD},"more":{{"event":{{}}}}}}',
        f'{{"relay":"r","seen_at":1,{HELD},"more":"\\ud800"}}',
        f'{{"relay":"r","seen_at":1,{HELD},"more":["\\ud800","event"]}}',
    ],
)
def test_what_other_writers_say_that_a_relay_holds_is_read(line: str) -> None:
    assert list(decode_lines(line.encode())) == [HeldLine("r", 1, ID, 5)]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f'{{"seen_at":1,{HELD}}}', "relay: is missing"),
        (f'{{"relay":null,"seen_at":1,{HELD}}}', "relay: must be"),
        (f'{{"relay":"","seen_at":1,{HELD}}}', "relay: must be"),
        (f'{{"relay":"r",{HELD}}}', "seen_at: is missing"),
        (f'{{"relay":"r","seen_at":1.5,{HELD}}}', "seen_at: must be"),
        ('{"relay":"r","seen_at":1,"id":"0A","created_at":5}', "id: must be"),
        ('{"relay":"r","seen_at":1,"id":null,"created_at":5}', "id: must be"),
        (f'{{"relay":"r","seen_at":1,"id":"{ID.upper()}","created_at":5}}', "id: must be"),
        (f'{{"relay":"r","seen_at":1,"id":"{ID}"}}', "created_at: must be"),
        (f'{{"relay":"r","seen_at":1,"id":"{ID}","created_at":-1}}', "created_at: must be"),
        (f'{{"relay":"r","seen_at":1,"id":"{ID}","created_at":{2**40}}}', "created_at: must be"),
        (f'{{"relay":"r","seen_at":1,"id":"{ID}","created_at":"5"}}', "created_at: must be"),
        (f'{{"relay":"r","seen_at":1,"id":"{ID}","created_at":true}}', "created_at: must be"),
        (f'{{"relay":"r","seen_at":1,{HELD}', "is not JSON"),
        ('{"relay":"r","seen_at":1,"more":["\\ud800","event"]}', "event: is missing"),
    ],
)
def test_bad_lines_without_an_event_say_what_is_wrong(line: str, error: str) -> None:
    (bad,) = decode_lines(line.encode())
    assert isinstance(bad, BadLine), bad
    assert bad.raw == line.encode()
    assert bad.error.startswith(error)


@pytest.mark.parametrize(
    "line",
    [
        f'{{"relay":"r","seen_at":1,{HELD},"event":{{"a":1}}}}',
        f'{{"relay":"r","seen_at":1,{HELD},"\\u0065vent":{{"a":1}}}}',
    ],
)
def test_an_event_counts_more_than_its_id(line: str) -> None:
    assert list(decode_lines(line.encode())) == [BundleLine("r", 1, b'{"a":1}')]


def test_a_newline_inside_a_string_cannot_enter_a_bundle() -> None:
    with pytest.raises(EventError) as error:
        encode_line(RELAY, 1, encode_event(signed(content="a b")).replace(b"a b", b"a\nb"))
    assert error.value.reason is Reason.NOT_JSON


def test_empty_lines_are_nothing() -> None:
    assert list(decode_lines(b"\n\n" + encode_line(None, 1, b"{}") + b"\n")) == [BundleLine(None, 1, b"{}")]
