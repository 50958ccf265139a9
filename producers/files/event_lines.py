"""Reads events from a JSONL file, a JSON array or a pipe, plain, gzip or zstd, one by one, in bounded memory.

Used by the importer and by `bigbrotr verify`. What a file holds is told by its first bytes, never by the name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from producers.files.file_format import DamagedFileError, UnreadableFormatError
from producers.files.json_values import JsonValues, StreamError
from producers.files.unpacking import BROKEN, BUFFER_BYTES, CountedFile, unpacked
from schemas.relay_urls.relay_url import MAX_URL_LENGTH
from schemas.topics import RAW_LIMIT_BYTES

__all__ = ["AROUND_EVENT_BYTES", "DamagedFileError", "EventLines", "Line", "UnreadableFormatError", "check_format"]

AROUND_EVENT_BYTES = MAX_URL_LENGTH + 1024
"""So much longer than its event a line may be: the relay, the time, the facts of an event."""
_BOM = b"\xef\xbb\xbf"
_AROUND_BYTES = len(_BOM + b"\r\n")
"""What does not count where a line is as long as it may be."""
_VALUES = re.compile(rb"\[[ \t\r]*(?:[\[{\]]|\Z)|\{\Z")
"""How the first line of a file begins that is no JSONL: an array of objects, or an event over several lines."""


class Line(NamedTuple):
    """One line that is not blank: its number in the file (from 1), its bytes without white space around, its size.

    Of a line longer than the limit only one byte more than the limit is kept; `size_bytes` is the true size. Where a
    file holds arrays of events, their elements count as its lines, and `what` says so.
    """

    number: int
    raw: bytes
    size_bytes: int
    what: str = "line"


class EventLines:
    """Iterates over the lines of `file`, which must give bytes.

    Attributes:
        read_bytes: bytes taken from the file so far, compressed ones where it is compressed, for a progress bar.
    """

    def __init__(self, file: BinaryIO, max_line_bytes: int = RAW_LIMIT_BYTES + AROUND_EVENT_BYTES) -> None:
        self._source = CountedFile(file)
        self._max_line_bytes = max_line_bytes

    @property
    def read_bytes(self) -> int:
        """Bytes taken from the file so far."""
        return self._source.read_bytes

    def __iter__(self) -> Iterator[Line]:
        """Read to the end.

        Raises:
            UnreadableFormatError: the file holds no text, or text in another encoding; nothing was read.
            DamagedFileError: the compressed data is broken or cut short, or an array is.
            OSError: the file cannot be read.
        """
        what, number = "line", 0
        try:
            text = unpacked(self._source)
            for line in self._lines(text):
                what, number = line.what, line.number
                yield line
        except (*BROKEN, StreamError) as error:
            raise DamagedFileError(f"damaged after {what} {number}: {error}") from error

    def _lines(self, text: io.BufferedIOBase) -> Iterator[Line]:
        number, begun = 0, False
        while raw := text.readline(self._max_line_bytes + _AROUND_BYTES):
            number += 1
            bare = raw.removeprefix(_BOM)
            stripped = bare.strip()
            if stripped and not begun and _VALUES.match(stripped):
                yield from self._values(text, bare)
                return
            begun = begun or bool(stripped)
            beyond_bytes = 0
            while not raw.endswith(b"\n") and (rest := text.readline(BUFFER_BYTES)):
                beyond_bytes += len(rest)
                if rest.endswith(b"\n"):
                    break
            if stripped:
                size_bytes = len(bare) + beyond_bytes if beyond_bytes else len(stripped)
                yield Line(number, stripped[: self._max_line_bytes + 1], size_bytes)

    def _values(self, text: io.BufferedIOBase, begun: bytes) -> Iterator[Line]:
        for number, value in enumerate(JsonValues(text, begun, self._max_line_bytes), 1):
            yield Line(number, value.raw, value.size_bytes, "element")


def check_format(path: Path) -> None:
    """Look at the beginning of a file, for a command to say at once that it cannot be read.

    Raises:
        UnreadableFormatError: as iterating over its lines does.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            unpacked(CountedFile(file))
        except BROKEN:
            return  # Iterating says after which line.
