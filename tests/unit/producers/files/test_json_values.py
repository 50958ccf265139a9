"""A stream of JSON is taken apart into values, whatever it holds and however the pieces fall, in bounded memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.json_values import JsonValues, StreamError, Value
from tests.unit.schemas.strategies import json_values, spellings

LIMIT = 10_000


class Pieces(io.BufferedIOBase):
    """Gives its text in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read1(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")


def read(text: bytes, piece_bytes: int = 5, begun: int = 0, limit: int = LIMIT) -> list[Value]:
    pieces = (text[at : at + piece_bytes] for at in range(begun, len(text), piece_bytes))
    return list(JsonValues(Pieces(pieces), text[:begun], limit))


@pytest.mark.slow
@given(st.lists(st.lists(json_values, max_size=4), max_size=3), st.data(), st.integers(1, 9), st.integers(0, 20))
def test_the_elements_of_arrays_are_the_values(
    arrays: list[list[Any]], data: st.DataObject, piece_bytes: int, begun: int
) -> None:
    told = [[{"first": 1}, *array] for array in arrays]
    text = b"\n".join(data.draw(spellings(each)) for each in told)
    found = read(text, piece_bytes, begun)
    assert [json.loads(value.raw) for value in found] == [value for array in told for value in array]
    assert all(value.size_bytes == len(value.raw) and value.raw == value.raw.strip() for value in found)
    assert all(value.raw in text for value in found)


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"", []),
        (b" \n ", []),
        (b"[]", []),
        (b"[ ]\n[\n]", []),
        (b'[{"a":1},{"b":[2]},]', [b'{"a":1}', b'{"b":[2]}']),
        (b'[\n  {\n "a" : 1\n }\n]', [b'{\n "a" : 1\n }']),
        (b'[["EVENT",{}],["EVENT","s",{}]]', [b'["EVENT",{}]', b'["EVENT","s",{}]']),
        (b'["EVENT",{"a":[1]}]\n["EOSE","s"]', [b'["EVENT",{"a":[1]}]', b'["EOSE","s"]']),
        (b'[{}, null, 1.5e3 ,"]},{[",true]', [b"{}", b"null", b"1.5e3", b'"]},{["', b"true"]),
        (b'{\n"a":1\n}\n{"b":2}{"c":3} 7', [b'{\n"a":1\n}', b'{"b":2}', b'{"c":3}', b"7"]),
        (rb'[{"a":"\\"},{"a":"\"}"},{"a":"\\\"]"}]', [rb'{"a":"\\"}', rb'{"a":"\"}"}', rb'{"a":"\\\"]"}']),
        (b'[{"a":}, {"b":2}]', [b'{"a":}', b'{"b":2}']),
    ],
)
def test_values_are_cut_out_as_they_stand(text: bytes, values: list[bytes], piece_bytes: int) -> None:
    assert [value.raw for value in read(text, piece_bytes)] == values


@pytest.mark.parametrize(
    ("text", "before"),
    [
        (b'[{"a":1},{"b":2}', 2),
        (b'[{"a":1},{"b":', 1),
        (b'[{"a":1},{"b":"}]', 1),
        (b"[", 0),
        (b"[{}]]", 1),
        (b"[{},}", 1),
        (b"{},{}", 1),
        (b'{"a":"\\', 0),
    ],
)
def test_what_can_not_be_told_apart_any_more_ends_it(text: bytes, before: int) -> None:
    values = iter(JsonValues(io.BytesIO(text), b"", LIMIT))
    for _ in range(before):
        next(values)
    with pytest.raises(StreamError):
        next(values)


@pytest.mark.parametrize("piece_bytes", [7, 100_000])
def test_of_a_long_value_only_a_beginning_is_kept(piece_bytes: int) -> None:
    long, after = read(b'[{"a":"' + b"x" * 5000 + b'"},{}]', piece_bytes, limit=100)
    assert long == Value(b'{"a":"' + b"x" * 95, 5008)
    assert after == Value(b"{}", 2)


@pytest.mark.slow
def test_an_array_of_any_length_and_a_value_of_any_length_take_little_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'[{"a":"'
        yield from (b"x" * 100_000 for _ in range(300))
        yield b'"},'
        yield from (b'{"tags":[["p","x"]]},\n' * 5000 for _ in range(20))
        yield b"{}]"

    tracemalloc.start()
    try:
        values = sum(1 for _ in JsonValues(Pieces(pieces()), b"", LIMIT))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert values == 100_002
    assert peak_bytes < 2 * 1024 * 1024


@pytest.mark.parametrize("unit", [b"[],", b"[[[]]],", b'"",', b'{"a":[{}]},', b'["a",', rb'"\\",', b'"', b"\\"])
def test_a_hostile_value_is_gone_through_once(unit: bytes) -> None:
    # Quadratic, this would take hours.
    with pytest.raises(StreamError):
        read(b"[[" + unit * (500_000 // len(unit)), 100_000)
