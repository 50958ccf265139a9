"""Decompresses a file that may be compressed, as a stream in bounded memory."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO

import zstandard
from typing_extensions import Buffer

from producers.files.file_format import GZIP, HEAD_BYTES, ZSTD, UnreadableFormatError, format_of

BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)
"""What broken or cut off data raises."""
BUFFER_BYTES = 128 * 1024
_MAGIC_BYTES = 6
"""The longest mark of a compressed form; a pipe that trickles is not waited for beyond that."""
# Four bytes of zstd can stand for a block of 128 KiB, so this much input is 16 MiB of output at worst.
_ZSTD_INPUT_BYTES = 512
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024  # what the zstd tool takes without --long: files that need more are refused


class CountedFile(io.RawIOBase):
    """A file, counted, with a look at its first bytes.

    Attributes:
        read_bytes: bytes taken so far, compressed ones where it is compressed, for a progress bar.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # read1 returns what is there: a pipe that trickles is read as it comes.
        self._read = getattr(file, "read1", file.read)
        self.read_bytes = 0
        self._head = b""

    def peek(self) -> bytes:
        """The first bytes, which stay to be read."""
        while len(self._head) < _MAGIC_BYTES and (more := self._read(HEAD_BYTES)):
            self._head += more
        return self._head

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read what is there, up to the length of the buffer."""
        room = memoryview(buffer)
        data = self._head[: len(room)] or self._read(len(room))
        self._head = self._head[len(room) :]
        room[: len(data)] = data
        self.read_bytes += len(data)
        return len(data)


def unpacked(source: CountedFile) -> gzip.GzipFile | io.BufferedReader[io.RawIOBase]:
    """The text of a file, plain, gzip or zstd.

    Raises:
        UnreadableFormatError: it is something else, or something else is packed in it.
        Exception: one of `BROKEN`, as reading the text does where the compressed data is broken or cut off.
    """
    buffered: io.BufferedReader[io.RawIOBase] = io.BufferedReader(source, BUFFER_BYTES)
    text: gzip.GzipFile | io.BufferedReader[io.RawIOBase]
    found = format_of(source.peek())
    if found is None:
        return buffered
    if found is GZIP:
        text = gzip.GzipFile(fileobj=buffered, mode="rb")
    elif found is ZSTD:
        text = io.BufferedReader(_Zstd(buffered), BUFFER_BYTES)
    else:
        raise UnreadableFormatError(found)
    if (inside := format_of(text.peek(HEAD_BYTES)[:HEAD_BYTES])) is not None:
        raise UnreadableFormatError(inside.inside(found))
    return text


class _Zstd(io.RawIOBase):
    """Frames of zstd, one after the other; unlike zstandard's own reader it tells a cut frame from a whole one."""

    def __init__(self, source: io.BufferedReader[io.RawIOBase]) -> None:
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
