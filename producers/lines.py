"""Lines of a JSONL file of any size, plain or compressed, in constant memory."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import zstandard

from schemas.topics import RAW_LIMIT_BYTES

LONGEST_LINE = 2 * RAW_LIMIT_BYTES
"""A longer line is passed by without being kept; the raw limit for an event is half of it."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_READ_BYTES = 256 * 1024
"""Per read: fewer calls than a line each, still nothing in memory."""
STDIN = "-"


class Line(NamedTuple):
    """A line without its end; `whole` is False for one longer than `LONGEST_LINE`, of which the beginning is kept.

    `position` is how far the file itself, compressed or not, was read by then, in bytes.
    """

    number: int
    raw: bytes
    whole: bool
    position: int


class LinesError(Exception):
    """A file cannot be read to its end: it is damaged or cut off."""


def read_lines(source: Path | None) -> Iterator[Line]:
    """Read the lines that are not blank; what the file is, its first bytes say, not its name.

    Args:
        source: a file, or None for standard input.

    Raises:
        OSError: the file cannot be opened or read.
        LinesError: the compressed data is damaged or ends too early; lines before that were given.
    """
    if source is None:
        yield from _lines(sys.stdin.buffer)
        return
    with source.open("rb") as file:
        yield from _lines(file)


class _Counted(io.RawIOBase):
    """A file that knows how much of it was read, also where it cannot tell."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


def _lines(file: BinaryIO) -> Iterator[Line]:
    counted = _Counted(file)
    plain = _opened(io.BufferedReader(counted, _READ_BYTES))
    number = 0
    try:
        while raw := plain.readline(LONGEST_LINE):
            number += 1
            whole = raw.endswith(b"\n") or len(raw) < LONGEST_LINE
            rest = raw
            while not rest.endswith(b"\n") and (rest := plain.readline(LONGEST_LINE)):
                whole = False
            if text := raw.strip():
                yield Line(number, text, whole, counted.position)
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise LinesError(f"after line {number} the compressed data is damaged or cut off: {error}") from error


def _opened(buffered: io.BufferedReader) -> BinaryIO:
    start = buffered.peek(len(_ZSTD))
    if start.startswith(_GZIP):
        return cast("BinaryIO", gzip.GzipFile(fileobj=buffered))
    if start.startswith(_ZSTD):
        reader = zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
        return io.BufferedReader(cast("io.RawIOBase", reader), _READ_BYTES)
    return buffered
