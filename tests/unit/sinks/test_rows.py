"""Event to row and back."""

from __future__ import annotations

import hashlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.archive.rows import EVENT_COLUMNS, event_from_row
from schemas.lookup import MORE_TAGS, key_prefix, tag_hash
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import IdForm, compute_id
from sinks.rows import MOST_INDEXED, event_row, indexed_tags, tag_hashes
from sinks.tables.topic_tables.events import recomputed_id

text = st.text(st.characters(codec="utf-8"))
events = st.builds(
    lambda pubkey, created_at, kind, tags, content, sig: (
        made := Event("", pubkey.hex(), created_at, kind, tags, content, sig.hex())
    )._replace(id=compute_id(made)),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**40 - 1),
    st.integers(0, 65535),
    st.lists(st.lists(text, max_size=4), max_size=5),
    text,
    st.binary(min_size=64, max_size=64),
)


@given(events)
def test_a_row_gives_back_its_event_and_its_id(event: Event) -> None:
    row = event_row(event, IdForm.NIP01)
    assert event_from_row(row) == event
    assert recomputed_id(event_from_row(row), row.id_form) == event.id
    has_nul = "\0" in event.content or any("\0" in item for tag in event.tags for item in tag)
    assert row.raw == (encode_event(event) if has_nul else None)


def test_text_that_only_looks_like_an_escaped_nul_is_kept_in_columns() -> None:
    event = Event("00" * 32, "11" * 32, 1, 1, [["t", r"\u0000"]], r"\u0000", "22" * 64)
    row = event_row(event, IdForm.NIP01)
    assert row.raw is None
    assert event_from_row(row) == event


def test_the_del_form_of_an_id_is_recomputed_in_that_form() -> None:
    event = Event("", "11" * 32, 1, 1, [], "a\x7fb", "22" * 64)
    escaped = b'[0,"' + event.pubkey.encode() + rb'",1,1,[],"a\u007fb"]'
    assert recomputed_id(event, IdForm.DEL) == hashlib.sha256(escaped).hexdigest()
    assert recomputed_id(event, IdForm.NIP01) != recomputed_id(event, IdForm.DEL)


def test_a_lone_surrogate_in_a_tag_is_a_value_error() -> None:
    event = Event("00" * 32, "11" * 32, 1, 1, [["t", "\ud800"]], "", "22" * 64)
    with pytest.raises(ValueError, match="tags"):
        event_row(event, IdForm.NIP01)


def test_the_first_value_of_each_single_letter_tag_is_hashed_once() -> None:
    tags = [
        ["t", "a", "b"],
        ["t", "a"],
        ["T", "a"],
        ["e"],
        [],
        ["", "x"],
        ["é", "x"],
        ["1", "x"],
        ["dd", "x"],
        ["p", ""],
    ]
    assert tag_hashes(tags) == [tag_hash("t", "a"), tag_hash("T", "a"), tag_hash("p", "")]


def test_of_too_many_tags_the_first_are_indexed_and_a_number_that_says_so() -> None:
    tags = [["x", str(number // 2)] for number in range(2 * MOST_INDEXED)]
    assert indexed_tags(tags) == tag_hashes(tags)
    cut = indexed_tags([*tags, ["t", "a"], ["t", "b"]])
    assert cut == [*tag_hashes(tags), MORE_TAGS]


def test_a_tag_hash_is_the_first_eight_bytes_of_sha256() -> None:
    expected = hashlib.sha256("t:straße".encode()).digest()[:8]
    assert tag_hash("t", "straße").to_bytes(8, signed=True) == expected
    long = "x" * 100_000
    assert tag_hashes([["t", long]]) == [tag_hash("t", long)]


def test_prefixes_sort_and_compare_as_signed_numbers() -> None:
    assert key_prefix(bytes(7) + b"\x01" + bytes(24)) == 1
    assert key_prefix(b"\xff" * 32) == -1


def test_the_columns_are_those_of_a_row() -> None:
    assert EVENT_COLUMNS[:2] == ("created_at", "id")
    row = event_row(Event("00" * 32, "11" * 32, 5, 1, [["a", "b"]], "c", "22" * 64), IdForm.NIP01)
    assert orjson.loads(row.tags or "") == [["a", "b"]]
