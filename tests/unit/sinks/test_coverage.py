"""What a record of `coverage` must be before it may become rows."""

from __future__ import annotations

import pytest

from schemas.records.coverage import Coverage
from sinks.tables.topic_tables.coverage import Change, decode

RECORD = Coverage(relay="wss://a.example", updated_at_ms=7)


def test_a_record_is_dated_by_itself_and_a_tombstone_by_kafka() -> None:
    assert decode(b"wss://a.example", RECORD.encode(), 99) == Change("wss://a.example", RECORD, 7)
    assert decode(b"wss://a.example", None, 99) == Change("wss://a.example", None, 99)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        (None, RECORD.encode(), "key"),
        (b"wss://b.example", RECORD.encode(), "relay"),
        (b"\xff", RECORD.encode(), "decode"),
        (b"wss://a.example", b"{}", "relay"),
        (b"wss://a.example", b"no json", "JSON"),
        (b"wss://a.example", RECORD.model_copy(update={"updated_at_ms": 2**53}).encode(), "updated_at_ms"),
    ],
)
def test_what_is_no_record_is_named(key: bytes | None, value: bytes, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        decode(key, value, 0)
