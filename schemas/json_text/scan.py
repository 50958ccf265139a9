"""A scanner of JSON text that finds where values begin and end, without decoding them.

Used only where the usual decoder cannot help: to cut verbatim bytes out of a text, and for texts that it refuses. It
needs no recursion, so depth cannot hurt it, and it is linear in the length of the text.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    rb"""[ \t\r\n]*(?:
        (?P<string>"[^"\\\x00-\x1f]*(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*)*")
      | (?P<open>[\[{])
      | (?P<close>[\]}])
      | (?P<mark>[,:])
      | (?P<word>[-+.0-9A-Za-z]+)
    )""",
    re.VERBOSE,
)
_LOOSE_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NEWLINES = re.compile(rb"[\r\n]")
_SPACE = b" \t\r\n"
_PAIRS = {b"[": b"]", b"{": b"}"}


class ScanError(ValueError):
    """The text is not one JSON value of the expected sort."""


def elements(text: bytes) -> list[bytes]:
    """The elements of a JSON array, each as its verbatim bytes.

    Raises:
        ScanError: the text is not one array.
    """
    position = _expect_open(text, b"[")
    found: list[bytes] = []
    position, closed = _maybe_close(text, position, b"]")
    while not closed:
        start, position = _value(text, position)
        found.append(text[start:position])
        position, closed = _comma_or_close(text, position, b"]")
    _expect_end(text, position)
    return found


def members(text: bytes) -> list[tuple[bytes, bytes]]:
    """The members of a JSON object in their order: key, as the verbatim bytes of a string, and value, verbatim.

    Raises:
        ScanError: the text is not one object.
    """
    position = _expect_open(text, b"{")
    found: list[tuple[bytes, bytes]] = []
    position, closed = _maybe_close(text, position, b"}")
    while not closed:
        key = _TOKEN.match(text, position)
        if key is None or key.lastgroup != "string":
            raise ScanError(f"a key is expected at byte {position}")
        colon = _TOKEN.match(text, key.end())
        if colon is None or colon["mark"] != b":":
            raise ScanError(f"a colon is expected at byte {key.end()}")
        start, position = _value(text, colon.end())
        found.append((key["string"], text[start:position]))
        position, closed = _comma_or_close(text, position, b"}")
    _expect_end(text, position)
    return found


def newline_in_string(text: bytes) -> bool:
    """Whether a raw line feed or carriage return stands inside a string of a JSON text."""
    return any(_NEWLINES.search(string[0]) for string in _LOOSE_STRING.finditer(text))


def spaced(text: bytes) -> bytes:
    """The text with every line feed and carriage return as a space."""
    return _NEWLINES.sub(b" ", text)


def _value(text: bytes, position: int) -> tuple[int, int]:
    """Where the value at a position begins and ends. Brackets inside it must match; its grammar is not checked."""
    token = _TOKEN.match(text, position)
    if token is None or token.lastgroup in ("close", "mark"):
        raise ScanError(f"a value is expected at byte {position}")
    start = token.start(token.lastgroup or 0)
    if token.lastgroup != "open":
        return start, token.end()
    expected = [_PAIRS[token["open"]]]
    while expected:
        token = _TOKEN.match(text, token.end())
        if token is None:
            raise ScanError("the text ends, or is broken, inside a value")
        if token.lastgroup == "open":
            expected.append(_PAIRS[token["open"]])
        elif token.lastgroup == "close" and token["close"] != expected.pop():
            raise ScanError(f"brackets do not match at byte {token.start()}")
    return start, token.end()


def _expect_open(text: bytes, bracket: bytes) -> int:
    token = _TOKEN.match(text)
    if token is None or token["open"] != bracket:
        raise ScanError(f"{bracket.decode()} is expected at the beginning")
    return token.end()


def _maybe_close(text: bytes, position: int, bracket: bytes) -> tuple[int, bool]:
    token = _TOKEN.match(text, position)
    return (token.end(), True) if token is not None and token["close"] == bracket else (position, False)


def _comma_or_close(text: bytes, position: int, bracket: bytes) -> tuple[int, bool]:
    token = _TOKEN.match(text, position)
    if token is not None and token["mark"] == b",":
        return token.end(), False
    if token is not None and token["close"] == bracket:
        return token.end(), True
    raise ScanError(f"a comma or {bracket.decode()} is expected at byte {position}")


def _expect_end(text: bytes, position: int) -> None:
    if text[position:].strip(_SPACE):
        raise ScanError(f"more text follows at byte {position}")
