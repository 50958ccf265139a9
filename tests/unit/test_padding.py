"""Padded copies differ from each other in their bytes, and are the genuine event all the same."""

from __future__ import annotations

import orjson
import pytest

from schemas.nostr.event import parse_event
from tests.relays.liars import written
from tests.relays.padding import WAYS, padded, with_half_a_surrogate

SIZE_BYTES = 1000
GENUINE = orjson.dumps(written(1_700_000_000, 1, 0, 12345))


@pytest.mark.parametrize("way", [way for way in WAYS if way is not with_half_a_surrogate])
def test_a_padded_copy_says_what_the_author_signed(way: object) -> None:
    assert callable(way)
    copy = way(GENUINE, SIZE_BYTES, 7)
    assert parse_event(copy) == parse_event(GENUINE)


def test_half_a_surrogate_is_json_that_is_no_text() -> None:
    copy = with_half_a_surrogate(GENUINE, SIZE_BYTES, 7)
    assert b"\\ud800" in copy
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(copy)


def test_no_two_copies_have_the_same_bytes_and_all_are_as_long_as_asked() -> None:
    copies = [padded(GENUINE, SIZE_BYTES, number) for number in range(40)]
    assert len(set(copies)) == 40
    added = [len(copy) - len(GENUINE) for copy in copies]
    assert min(added) >= SIZE_BYTES - 6
    assert max(added) <= SIZE_BYTES + 100
