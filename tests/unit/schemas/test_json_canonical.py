"""Parts of a JSON text are found and written anew without being decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.json_text.canonical import canonical, last_member
from tests.unit.schemas.strategies import json_values, spellings, texts_with_surrogates


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


@given(st.one_of(json_values, texts_with_surrogates), st.data())
def test_every_spelling_of_a_value_becomes_one(value: Any, data: st.DataObject) -> None:
    assert canonical(data.draw(spellings(value))) == compact(value)


@given(st.dictionaries(texts_with_surrogates, json_values, min_size=1, max_size=5), st.data())
def test_each_member_is_found_as_it_stands(members: dict[str, Any], data: st.DataObject) -> None:
    raw = data.draw(spellings(members))
    for name, value in members.items():
        found = last_member(raw, name)
        assert found in raw
        assert canonical(found) == compact(value)


@pytest.mark.parametrize("raw", [b"{}", b' { "a" : [ { "x" : 1 } ] } ', b'{"a":{"x":1},"b":"\\"x\\":2"}'])
def test_what_is_no_member_of_the_object_itself_is_not_found(raw: bytes) -> None:
    with pytest.raises(KeyError, match="x"):
        last_member(raw, "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"\/\u0041\u00e9\ud83e\udde1"', '"/Aé🧡"'.encode()),
        (rb'"\u0000\u001f\u0008\u000c\u000a\u000d\u0009\u0022\u005c"', rb'"\u0000\u001f\b\f\n\r\t\"\\"'),
        (rb'"\uD800"', rb'"\ud800"'),
        (rb'[ 1.50 , 1E+2, -0 ,"a b" ]', b'[1.50,1E+2,-0,"a b"]'),
    ],
)
def test_escapes_are_those_of_nip_01_and_numbers_stay(text: bytes, expected: bytes) -> None:
    assert canonical(text) == expected


@pytest.mark.parametrize(
    "unit", [b"1,", b'"",', b"[],", b"[[[]]],", rb'"\\",', rb'"\"",', b"{},", b" ", b'{"a":[{}]},']
)
def test_a_long_text_is_gone_through_once(unit: bytes) -> None:
    # Quadratic, this would take hours.
    tags = b"[" + unit * (300_000 // len(unit)) + b"null]"
    raw = b'{"id":1,"tags":' + tags + b"}"
    assert last_member(raw, "tags") == tags
    assert canonical(tags) == tags.replace(b" ", b"")
