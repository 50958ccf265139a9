"""Cutting verbatim bytes out of frames and finding ids, whatever the text does to mislead."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.json_text.scan import ScanError, elements, members
from schemas.nostr.event import Event, encode_event, parse_event
from schemas.nostr.wire import find_id, one_line, open_event_frame, split_event_frame
from schemas.reasons import EventError, Reason
from tests.unit.schemas.strategies import events, json_values, signed, spellings, texts, texts_with_surrogates

ID = "ab" * 32
OTHER = "cd" * 32


@given(texts, events(texts_with_surrogates), st.lists(json_values, max_size=2), st.sampled_from(["", " ", "\n\t"]))
def test_the_event_comes_out_byte_for_byte(subid: str, event: Event, extra: list[Any], space: str) -> None:
    raw = encode_event(event)
    items = [b'"EVENT"', json.dumps(subid).encode(), raw, *(json.dumps(item).encode() for item in extra)]
    gap = space.encode()
    frame = gap + b"[" + gap + (gap + b"," + gap).join(items) + gap + b"]" + gap
    opened = split_event_frame(frame)
    assert opened is not None
    assert opened == (subid, raw)


@given(events(texts), st.data())
def test_events_in_any_spelling_come_out_byte_for_byte(event: Event, data: st.DataObject) -> None:
    raw = data.draw(spellings(event._asdict())).strip()
    opened = open_event_frame(b'["EVENT","s",' + raw + b"]")
    assert opened is not None
    assert opened.event == raw
    assert opened.fields is None or opened.fields == orjson.loads(raw)
    assert find_id(raw) == event.id


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'["EVENT"]',
        b'["EVENT","s"]',
        b'["EVENT",{"id":1}]',
        b'["EVENT","s",[]]',
        b'["EVENT","s",null]',
        b'["EVENT",1,{}]',
        b'["EOSE","s",{}]',
        b'["event","s",{}]',
        b'["EVENT","s",{}',
        b'["EVENT","s",{}]]',
        b'["EVENT","s",{}]x',
        b'["EVENT","s",{}],',
        b'["EVENT","s",{}}]',
        b'["EVENT","s",{]}',
        b'["EVENT","s",{"a":[}}]',
        b'["EVENT" "s",{}]',
        b'["EVENT","s",,{}]',
        b'["EVENT","s",{"a":"\n"}]',
        b'["EVENT","s\r",{}]',
        b'["EVENT","s",{"a":"\xff"}',
        b"\xef\xbb\xbf" + b'["EVENT","s",{}]',
        b"[" * 100_000,
        b'["EVENT",' + b"[" * 100_000 + b"]" * 100_000 + b",{}]",
        b"[" + b"[" * 100_000 + b"]" * 100_000 + b',"s",{}]',
    ],
)
def test_other_frames_are_none(frame: bytes) -> None:
    assert split_event_frame(frame) is None


@pytest.mark.parametrize(
    ("frame", "subid", "event"),
    [
        (b'["EVENT","s",{}]', "s", b"{}"),
        (b'["EVENT","s",{},{}]', "s", b"{}"),
        (b'["EVENT","s",{"a":"}]"},{"b":[{}]}]', "s", b'{"a":"}]"}'),
        (b'["EVENT","a\\"],{",{"a":{}}]', 'a"],{', b'{"a":{}}'),
        (b'["EVENT","a\\",{",{"id":"x"}]', 'a",{', b'{"id":"x"}'),
        (b'["EVENT","\\\\",{ }]', "\\", b"{ }"),
        (b'["\\u0045VENT","s",{}]', "s", b"{}"),
        (b'["EVENT","\\u0073",{"a":1}]', "s", b'{"a":1}'),
        (b'["EVENT","s",{"a":"\\ud800}"}, 1]', "s", b'{"a":"\\ud800}"}'),
        (b'["EVENT","s",{"a":"\\\\\\"}"}]', "s", b'{"a":"\\\\\\"}"}'),
        (b'["EVENT","s",{"a":\n1}]', "s", b'{"a":\n1}'),
    ],
)
def test_frames_that_mislead(frame: bytes, subid: str, event: bytes) -> None:
    assert split_event_frame(frame) == (subid, event)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (f'{{"id":"{ID}"}}', ID),
        (f' {{ "id" : "{ID}" }} ', ID),
        (f'{{"id":"{OTHER}","id":"{ID}"}}', ID),
        (f'{{"id":"{ID}","x":{{"id":"{OTHER}"}}}}', ID),
        (f'{{"id":"{ID}","content":"\\"id\\":\\"{OTHER}\\""}}', ID),
        (f'{{"id":"{OTHER}","\\u0069d":"{ID}"}}', ID),
        (f'{{"\\u0069\\u0064":"{ID}","content":"\\ud800"}}', ID),
        (f'{{"id":"{OTHER}","content":"\\ud800","id":"{ID}","tags":[["id","{OTHER}"]]}}', ID),
        (f'{{"content":"\\ud800","id":"\\u0061b{"ab" * 31}"}}', ID),
        (f'{{"id":"{ID}","x":{"9" * 5000}}}', ID),
        (f'{{"id":"{ID}","id":5}}', None),
        (f'{{"id":"{ID}","content":"\\ud800","id":null}}', None),
        (f'{{"id":"{ID.upper()}"}}', None),
        (f'{{"id":"{ID[:-1]}"}}', None),
        (f'{{"id":"{ID}"', None),
        (f'{{"id":"{ID}"}}}}', None),
        (f'{{"id":"{ID}"}},{{}}', None),
        (f'[{{"id":"{ID}"}}]', None),
        (f'{{"id":"{ID}","content":"a\nb"}}', None),
        (f'{{"id":"{ID}","content":"a\rb"}}', None),
        (f'{{"id":"{ID}",\r\n"content":""}}', ID),
        (f'{{"a":"\\ud800" "id":"{ID}"}}', None),
        ('{"pubkey":"x"}', None),
        ("", None),
        ("null", None),
        ("[" * 100_000, None),
        ('{"a":"\\ud800","b":' + "[" * 100_000, None),
    ],
)
def test_the_id_is_the_last_one_of_the_outermost_object(raw: str, found: str | None) -> None:
    assert find_id(raw.encode()) == found


@pytest.mark.slow
@given(st.dictionaries(texts_with_surrogates, json_values, max_size=5), st.data())
def test_the_scanner_finds_what_the_decoder_finds(value: dict[str, Any], data: st.DataObject) -> None:
    raw = data.draw(spellings(value))
    assert {json.loads(key): json.loads(text) for key, text in members(raw)} == value
    raw = data.draw(spellings(list(value.values())))
    assert [json.loads(text) for text in elements(raw)] == list(value.values())


@given(st.binary())
@example(b"[1,]")
@example(b'{"a":1,}')
@example(b"[}")
def test_the_scanner_ends_on_any_bytes(raw: bytes) -> None:
    for scan in (elements, members):
        try:
            scan(raw)
        except ScanError as error:
            assert str(error)  # noqa: PT017 (not raising is right as well)


@given(events(texts), st.data())
def test_newlines_between_tokens_become_spaces_and_change_nothing(event: Event, data: st.DataObject) -> None:
    raw = data.draw(spellings(event._asdict()))
    line = one_line(raw)
    assert b"\n" not in line
    assert b"\r" not in line
    assert len(line) == len(raw)
    assert parse_event(line) == parse_event(raw) == event


def test_what_needs_no_change_is_not_copied() -> None:
    raw = encode_event(signed(content="a\nb"))
    assert one_line(raw) is raw


@pytest.mark.parametrize("raw", [b'{"a":"\n"}', b'{"a":"\\"\r"}', b'{"\n":1}', b'\n{"a":"\n'])
def test_a_newline_inside_a_string_is_no_white_space(raw: bytes) -> None:
    with pytest.raises(EventError) as error:
        one_line(raw)
    assert error.value.reason is Reason.NOT_JSON
