"""JSON values of a stream one by one, as their verbatim bytes, in bounded memory: those of arrays, however large.

Only brackets and strings are looked at: the caller validates the values.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import NamedTuple

_SPACE = re.compile(rb"[ \t\r\n]*+")
_BETWEEN = re.compile(rb"[ \t\r\n,]*+")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_INSIDE = re.compile(rb"(?:[^\"\[\]{}]++|%b|\[(?:[^\"\[\]{}]++|%b)*+\])*+" % (_STRING, _STRING), re.DOTALL)
"""What lies before the next bracket, those of flat arrays aside, or before a string that the piece does not end."""
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_WORD = re.compile(rb"[^ \t\r\n,\[\]{}\"]*+")
_QUOTE, _BACKSLASH, _OPEN, _CLOSE = b'"\\[]'
_CHUNK_BYTES = 128 * 1024


class StreamError(ValueError):
    """What follows cannot be told apart into values any more, or the text ends inside one."""


class Value(NamedTuple):
    """A value: its bytes, at most one more than the limit of them, and its true size."""

    raw: bytes
    size_bytes: int


class JsonValues:
    """Iterates over the values of a stream: the elements of its arrays, and what stands between arrays.

    An array that begins with anything but an object or an array is itself a value: `["EVENT",{…}]`.

    Args:
        text: gives what follows `begun`.
        begun: what was read of it already.
        limit_bytes: of a longer value, one byte more than this is kept.
    """

    def __init__(self, text: io.BufferedIOBase, begun: bytes, limit_bytes: int) -> None:
        self._text = text
        self._piece = begun
        self._at = 0
        self._limit_bytes = limit_bytes

    def __iter__(self) -> Iterator[Value]:
        """Read to the end.

        Raises:
            StreamError: the text is no sequence of such values, or ends too early.
            Exception: what reading the text raises.
        """
        while self._pass(_SPACE):
            if not self._begins_elements():
                yield self._value()
                continue
            self._at += 1
            while True:
                if not self._pass(_BETWEEN):
                    raise StreamError("the text ends inside an array")
                if self._piece[self._at] == _CLOSE:
                    self._at += 1
                    break
                yield self._value()

    def _more(self) -> bool:
        """Take the next piece in place of the one that is used up."""
        self._piece, self._at = self._text.read1(_CHUNK_BYTES), 0
        return bool(self._piece)

    def _pass(self, pattern: re.Pattern[bytes]) -> bool:
        """Go behind what the pattern matches; False at the end of the text."""
        while (at := _end(pattern, self._piece, self._at)) == len(self._piece):
            if not self._more():
                return False
        self._at = at
        return True

    def _begins_elements(self) -> bool:
        """Whether an array begins here of which the elements are values: one that begins so, or is empty."""
        if self._piece[self._at] != _OPEN:
            return False
        while (at := _end(_SPACE, self._piece, self._at + 1)) == len(self._piece):
            if not (more := self._text.read1(_CHUNK_BYTES)):
                return True
            self._piece, self._at = b"[" + more, 0
        return self._piece[at] in b"[{]"

    def _value(self) -> Value:
        """Read the value that begins here."""
        if self._piece[self._at] in b"]},":
            raise StreamError("a bracket or a comma stands where a value should begin")
        kept, size_bytes, scan = bytearray(), 0, _Scan(self._piece[self._at])
        while True:
            begin = self._at
            self._at, ended = scan.end(self._piece, begin)
            size_bytes += self._at - begin
            if (room := self._limit_bytes + 1 - len(kept)) > 0:
                kept += self._piece[begin : min(self._at, begin + room)]
            if ended or not self._more():
                break
        if not ended and not scan.is_word:
            raise StreamError("the text ends inside a value")
        return Value(bytes(kept), size_bytes)


class _Scan:
    """Looks for the end of a value, piece by piece."""

    def __init__(self, first: int) -> None:
        self.is_word = first not in b'"[{'
        self._begun = False
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def end(self, piece: bytes, at: int) -> tuple[int, bool]:
        """Where the value ends from there on, and whether it does: else it goes on in the next piece."""
        if self.is_word:
            at = _end(_WORD, piece, at)
            return at, at < len(piece)
        if not self._begun:
            self._begun = True
            self._meet(piece[at])
            at += 1
        elif self._escaped:
            self._escaped = False
            at += 1
        while at < len(piece):
            if (at := _end(_IN_STRING if self._in_string else _INSIDE, piece, at)) == len(piece):
                break
            self._meet(piece[at])
            at += 1
            if not self._depth and not self._in_string:
                return at, True
        return at, False

    def _meet(self, byte: int) -> None:
        if byte == _BACKSLASH:
            self._escaped = True  # The last byte of a piece.
        elif byte == _QUOTE:
            self._in_string = not self._in_string
        else:
            self._depth += 1 if byte in b"[{" else -1


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    match = pattern.match(text, at)
    assert match is not None  # All patterns match the empty text, too.
    return match.end()
