"""What a line of a file of events holds, in all the forms in which events are kept."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.event_lines import EventLines, Line
from producers.files.line_copy import read_line
from schemas.reasons import EventError, Reason
from schemas.records.bundle import BundleLine, encode_line
from schemas.topics import RAW_LIMIT_BYTES
from tests.unit.processors.material import event, wire
from tests.unit.schemas.strategies import events, texts

RELAY = "wss://file.example"
NOW_MS = 7
EVENT = event('with "quotes", ] and }', tags=[["t", "x"], ["p", None]])
RAW = wire(EVENT)
HERE = BundleLine(RELAY, NOW_MS, RAW)
NO_ID = b'{"content":"' + b"x" * 20 + b'"}'


def copy_of(raw: bytes) -> BundleLine:
    read = read_line(Line(1, raw, len(raw)), RELAY, NOW_MS)
    assert read.id == EVENT.id
    return read.copy


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (RAW, HERE),
        (b'["EVENT",' + RAW + b"]", HERE),
        (b'["EVENT","sub",' + RAW + b"]", HERE),
        (b'[ "EVENT" , ' + RAW + b" ]", HERE),
        (b'["\\u0045VENT", "s\\"u}b" ,' + RAW + b', "more"]', HERE),
        (b'["EVENT",' + RAW + b', "more"]', HERE),
        (encode_line("wss://A.example/", 5, RAW).rstrip(), BundleLine("wss://a.example", 5, RAW)),
        (encode_line(None, 5, RAW).rstrip(), BundleLine(RELAY, 5, RAW)),
        (b'{"event":%b,"relay":null,"seen_at":5,"facts":{}}' % RAW, BundleLine(RELAY, 5, RAW)),
        (b'{"relay":"wss://a.example",' + RAW[1:], HERE._replace(event=b'{"relay":"wss://a.example",' + RAW[1:])),
    ],
)
def test_an_event_is_found_in_every_form(raw: bytes, expected: BundleLine) -> None:
    assert copy_of(raw) == expected


@pytest.mark.parametrize(
    ("raw", "reason", "field"),
    [
        (b"not json", Reason.NOT_JSON, None),
        (b'{"id":', Reason.NOT_JSON, None),
        (b"{}{}", Reason.NOT_JSON, None),
        (b"null", Reason.NOT_JSON, None),
        (b'"text"', Reason.NOT_JSON, None),
        (b"[1]", Reason.NOT_JSON, None),
        (b"[" + RAW + b"]", Reason.NOT_JSON, None),
        (b'["EOSE","sub"]', Reason.NOT_JSON, None),
        (b'["OK",' + RAW + b"]", Reason.NOT_JSON, None),
        (b'["EVENT"]', Reason.NOT_JSON, None),
        (b'["EVENT","sub"]', Reason.NOT_JSON, None),
        (b'["EVENT","sub",' + RAW, Reason.NOT_JSON, None),
        (b"{}", Reason.NO_ID, "id"),
        (NO_ID, Reason.NO_ID, "id"),
        (b'["EVENT",{"id":"short"}]', Reason.NO_ID, "id"),
        (b'["EVENT","sub",' + NO_ID + b"]", Reason.NO_ID, "id"),
        (b'{"relay":"http://a.example","seen_at":1,"event":' + RAW + b"}", Reason.BAD_FIELD, "relay"),
        (b'{"relay":"wss://a.example","seen_at":-1,"event":' + RAW + b"}", Reason.BAD_FIELD, None),
        (b'{"event":' + RAW + b"}", Reason.BAD_FIELD, None),
        (b'["EVENT",' + RAW[:-1] + b',"x":"' + b"x" * RAW_LIMIT_BYTES + b'"}]', Reason.TOO_LARGE, None),
    ],
)
def test_what_is_none_has_a_reason(raw: bytes, reason: Reason, field: str | None) -> None:
    with pytest.raises(EventError) as error:
        read_line(Line(1, raw, len(raw)), RELAY, NOW_MS)
    assert (error.value.reason, error.value.field) == (reason, field)


def test_of_a_line_that_was_cut_off_only_the_size_is_judged() -> None:
    size_bytes = 9 * RAW_LIMIT_BYTES
    (line,) = EventLines(io.BytesIO(RAW[:-1] + b" " * (size_bytes - len(RAW)) + b"}"))
    with pytest.raises(EventError, match=f"has {size_bytes} bytes") as error:
        read_line(line, None, NOW_MS)
    assert error.value.reason is Reason.TOO_LARGE


@given(st.one_of(st.binary(max_size=100), texts.map(str.encode), events(texts).map(wire).map(lambda raw: b"[" + raw)))
def test_any_bytes_are_a_copy_or_refused(raw: bytes) -> None:
    for text in (raw, b"[" + raw, b'["EVENT",' + raw + b"]", b'{"relay":' + raw, b'{"event":' + raw):
        try:
            read_line(Line(1, text, len(text)), None, NOW_MS)
        except EventError as error:
            assert len(str(error)) < 300  # noqa: PT017 - any of them may be raised or not
