"""Reads events from a JSONL file or a pipe, plain, gzip or zstd, line by line in bounded memory.

Used by the importer and by `bigbrotr verify`. The format is told by the first bytes, never by the name.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import zstandard
from typing_extensions import Buffer

from schemas.topics import RAW_LIMIT_BYTES

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878 section 3.1.1
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # RFC 8878 section 3.1.2: preceded by 0x50 to 0x5f
_BOM = b"\xef\xbb\xbf"
_AROUND_BYTES = len(_BOM + b"\r\n")
"""What does not count where a line is as long as it may be."""
_MAGIC_BYTES = 4
_BUFFER_BYTES = 128 * 1024
# Four bytes of zstd can stand for a block of 128 KiB, so this much input is 16 MiB of output at worst.
_ZSTD_INPUT_BYTES = 512
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024  # what the zstd tool takes without --long: files that need more are refused


class DamagedFileError(ValueError):
    """The compressed data is broken or ends too early; lines before the damage have been read."""


class Line(NamedTuple):
    """One line that is not blank: its number in the file (from 1), its bytes without white space around, its size.

    Of a line longer than the limit only one byte more than the limit is kept; `size_bytes` is the true size.
    """

    number: int
    raw: bytes
    size_bytes: int


class EventLines:
    """Iterates over the lines of `file`, which must give bytes.

    Attributes:
        read_bytes: bytes taken from the file so far, compressed ones where it is compressed, for a progress bar.
    """

    def __init__(self, file: BinaryIO, max_line_bytes: int = RAW_LIMIT_BYTES) -> None:
        self._source = _Counted(file)
        self._max_line_bytes = max_line_bytes

    @property
    def read_bytes(self) -> int:
        """Bytes taken from the file so far."""
        return self._source.read_bytes

    def __iter__(self) -> Iterator[Line]:
        """Read to the end.

        Raises:
            DamagedFileError: the compressed data is broken or cut short.
            OSError: the file cannot be read.
        """
        text = _decompressed(self._source)
        number = 0
        try:
            while True:
                raw = text.readline(self._max_line_bytes + _AROUND_BYTES)
                if not raw:
                    return
                number += 1
                beyond_bytes = 0
                while not raw.endswith(b"\n") and (rest := text.readline(_BUFFER_BYTES)):
                    beyond_bytes += len(rest)
                    if rest.endswith(b"\n"):
                        break
                if number == 1:
                    raw = raw.removeprefix(_BOM)
                if stripped := raw.strip():
                    size_bytes = len(raw) + beyond_bytes if beyond_bytes else len(stripped)
                    yield Line(number, stripped[: self._max_line_bytes + 1], size_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
            raise DamagedFileError(f"damaged after line {number}: {error}") from error


class _Counted(io.RawIOBase):
    """The file, counted, with a look at its first bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read_bytes = 0
        self._head = b""

    def peek(self) -> bytes:
        """The first bytes, which stay to be read."""
        while len(self._head) < _MAGIC_BYTES and (more := self._file.read(_MAGIC_BYTES - len(self._head))):
            self._head += more
        return self._head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        room = memoryview(buffer)
        # read1 returns what is there: a pipe that trickles is read as it comes.
        read = getattr(self._file, "read1", self._file.read)
        data = self._head or read(len(room))
        self._head = b""
        room[: len(data)] = data
        self.read_bytes += len(data)
        return len(data)


def _decompressed(source: _Counted) -> io.BufferedIOBase:
    magic = source.peek()
    buffered = io.BufferedReader(source, _BUFFER_BYTES)
    if magic.startswith(_GZIP_MAGIC):
        return gzip.GzipFile(fileobj=buffered, mode="rb")
    if magic == _ZSTD_MAGIC or (magic[1:] == _ZSTD_SKIPPABLE and 0x50 <= magic[0] <= 0x5F):  # noqa: PLR2004 - as above
        return io.BufferedReader(_Zstd(buffered), _BUFFER_BYTES)
    return buffered


class _Zstd(io.RawIOBase):
    """Frames of zstd, one after the other; unlike zstandard's own reader it tells a cut frame from a whole one."""

    def __init__(self, source: io.BufferedReader[_Counted]) -> None:
        self._source = source
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._input = b""
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        while not self._output:
            if not self._input:
                self._input = self._source.read1(_ZSTD_INPUT_BYTES)
            if not self._input:
                if self._frame is not None:
                    raise EOFError("the zstd data ends in the middle of a frame")
                return 0
            if self._frame is None:
                self._frame = self._decompressor.decompressobj()
            self._output = memoryview(self._frame.decompress(self._input))
            self._input = self._frame.unused_data
            if self._frame.eof:
                self._frame = None
        room = memoryview(buffer)
        count = min(len(room), len(self._output))
        room[:count] = self._output[:count]
        self._output = self._output[count:]
        return count
