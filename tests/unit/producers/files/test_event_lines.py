"""Event files are read line by line in bounded memory, whatever they are packed in, and damage is never silent."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Callable

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from producers.files.event_lines import DamagedFileError, EventLines, Line

TEXT = b"\n".join(b'{"number":%d}' % number for number in range(20_000))
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip in two members": lambda data: gzip.compress(data[:777]) + gzip.compress(data[777:]),
    "zstd": zstandard.compress,
    "zstd in two frames": lambda data: zstandard.compress(data[:777]) + zstandard.compress(data[777:]),
    "zstd behind user data": lambda data: b"\x5a\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(data),
}


def read(data: bytes, limit: int = 1024) -> list[Line]:
    return list(EventLines(io.BytesIO(data), limit))


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_gives_the_same_lines(packing: str) -> None:
    lines = read(PACKINGS[packing](TEXT))
    assert [line.raw for line in lines] == TEXT.split(b"\n")
    assert [line.number for line in lines] == list(range(1, 20_001))


@pytest.mark.parametrize("packing", [name for name in PACKINGS if name != "plain"])
def test_a_file_that_was_cut_off_says_so_after_its_lines(packing: str) -> None:
    lines = iter(EventLines(io.BytesIO(PACKINGS[packing](TEXT)[:-30]), 1024))
    first = next(lines)
    assert first.raw == b'{"number":0}'
    with pytest.raises(DamagedFileError, match="after line"):
        list(lines)


def test_blank_lines_are_passed_over_and_counted() -> None:
    assert [(line.number, line.raw) for line in read(b"\xef\xbb\xbf{}\r\n \n\n\t{} ")] == [(1, b"{}"), (4, b"{}")]


@pytest.mark.parametrize(("length", "kept"), [(1023, 1023), (1024, 1024), (1025, 1025), (500_000, 1025)])
def test_of_a_line_beyond_the_limit_only_a_beginning_is_kept(length: int, kept: int) -> None:
    long, after = read(b"x" * length + b"\n{}")
    assert len(long.raw) == kept
    assert (long.size_bytes > 1024) == (length > 1024)
    assert after == Line(2, b"{}", 2)


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("length", [1024, 1025])
def test_what_stands_around_a_line_does_not_count(before: bytes, after: bytes, length: int) -> None:
    (line,) = read(before + b"x" * length + after)
    assert line.raw == b"x" * length
    assert (line.size_bytes > 1024) == (length > 1024)


def test_a_compression_bomb_does_not_fill_the_memory() -> None:
    bomb = zstandard.compress(b"\0" * 300_000_000)
    tracemalloc.start()
    try:
        (line,) = read(bomb)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert line.size_bytes == 300_000_000
    assert peak_bytes < 48 * 1024 * 1024  # 16 MiB for what one read can stand for, twice while it is handed over


@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_damage(data: bytes) -> None:
    try:
        lines = read(data)
    except DamagedFileError:
        return
    if data[:1] not in {b"\x1f", b"\x28"} and all(line.what == "line" for line in lines) and data.strip() != b"[]":
        told = [line.removeprefix(b"\xef\xbb\xbf") for line in data.split(b"\n")]
        assert [line.raw for line in lines] == [line.strip() for line in told if line.strip()]


ARRAYS = {
    "on one line": b'[{"number":0},{"number":1}]',
    "a line each": b'[{"number":0},\n{"number":1}\n]\n',
    "over many lines": b'\xef\xbb\xbf\r\n[\r\n  {\r\n    "number":0\r\n  },\r\n  {"number":1}\r\n]',
    "several": b'[{"number":0}]\n[]\n[{"number":1}]\n',
    "objects over many lines": b'{\n"number":0}\n{\n"number":1}\n',
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("array", ARRAYS)
def test_the_elements_of_an_array_are_lines(packing: str, array: str) -> None:
    lines = read(PACKINGS[packing](ARRAYS[array]))
    assert [orjson.loads(line.raw) for line in lines] == [{"number": 0}, {"number": 1}]
    assert [(line.number, line.what) for line in lines] == [(1, "element"), (2, "element")]


def test_an_array_of_nothing_is_no_line() -> None:
    assert read(b"[]") == read(b" [\n ]\n") == read(b"") == read(b"\n \n") == []


@pytest.mark.parametrize(
    "text", [b'["EVENT",{}]\n["EVENT","s",{}]', b'{}\n["EVENT",{}]', b'["wss://a.example"]', b"x\n[{}]", b"{} {\n}"]
)
def test_other_beginnings_are_lines(text: bytes) -> None:
    assert [line.raw for line in read(text)] == text.split(b"\n")


def test_an_array_that_was_cut_off_says_so_after_its_elements() -> None:
    lines = iter(EventLines(io.BytesIO(b'[{"number":0},{"number":1},{"numb'), 1024))
    assert [next(lines).number, next(lines).number] == [1, 2]
    with pytest.raises(DamagedFileError, match="damaged after element 2: the text ends inside a value"):
        next(lines)


def test_a_mark_of_utf_8_may_stand_before_every_file_that_was_joined() -> None:
    mark = b"\xef\xbb\xbf"
    assert [line.raw for line in read(mark + b"{}\n" + mark + b"{}\n" + mark)] == [b"{}", b"{}"]


def test_a_pipe_is_read_as_it_comes() -> None:
    class Trickle(io.RawIOBase):
        """Gives one line a read, and says after how many reads each was seen."""

        reads = 0

        def readable(self) -> bool:
            return True

        def read1(self, _size: int = -1) -> bytes:
            self.reads += 1
            return b'{"a":1}\n' if self.reads <= 3 else b""

        read = read1

    source = Trickle()
    lines = iter(EventLines(source, 1024))  # type: ignore[arg-type]  # a raw file is enough here
    next(lines)
    assert source.reads <= 2
