"""Parts of a valid JSON text as NIP-01 serialises them for an id, without decoding the values.

A decoder would lose how numbers are written. Each pattern runs over as much text as it can in one match, and none can
backtrack, because this is done before a signature is checked: 0.05 s for most mebibytes, 0.8 s for the worst.
"""

from __future__ import annotations

import json
import re

import orjson

from schemas.json_text.exact import dumps_exactly

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = rb"(?:[^\"\[\]{}]++|%b)*+" % _STRING
"""Text without brackets, but for those in strings."""
_SKIPPED = re.compile(rb"(?:[^\"\[\]{}]++|%b|\[%b\]|\{%b\})*+" % (_STRING, _FLAT, _FLAT), re.DOTALL)
"""What lies before the next bracket that opens or closes more than one level."""
_MEMBER = re.compile(rb"[ \t\r\n]*+(%b)[ \t\r\n]*+:[ \t\r\n]*+([^\"\[{,}]++|%b)?+" % (_STRING, _STRING), re.DOTALL)
"""A name, and the value where it is no array and no object."""
_TOKEN = re.compile(
    rb'((?:[^" \t\r\n]++|"(?:[^"\\]++|\\["\\bfnrt])*+")++)|[ \t\r\n]++|(%b)' % _STRING,
    re.DOTALL,
)
"""Text that stays as it is; white space; a string with an escape that is not the canonical one, or may not be."""
_OPENING = b"[{"


def last_member(text: bytes, name: str) -> bytes:
    """The value of the last member of that name, as it stands in an object that is valid JSON.

    Raises:
        KeyError: there is none.
    """
    value: bytes | None = None
    position = text.index(b"{") + 1
    while (member := _MEMBER.match(text, position)) is not None:
        start, end = member.end() if member[2] is None else member.start(2), member.end()
        if member[2] is None:
            end = _end_of_brackets(text, start)
        if json.loads(member[1]) == name:
            value = text[start:end]
        position = text.find(b",", end) + 1
        if not position or text[end : position - 1].strip():
            break
    if value is None:
        raise KeyError(name)
    return value


def canonical(text: bytes) -> bytes:
    """A valid JSON text without white space between tokens, its strings with the escapes of NIP-01.

    Numbers stay as they are written: of fractions, exponents and integers beyond 2^53 there is no spelling on which
    JSON libraries agree, and most texts still have the one that was hashed.
    """
    return _TOKEN.sub(_canonical_token, text)


def canonical_string(text: str) -> bytes:
    """A decoded string as it stands in a serialisation."""
    try:
        return orjson.dumps(text)
    except TypeError:  # Lone surrogates.
        return dumps_exactly(text)


def _canonical_token(token: re.Match[bytes]) -> bytes:
    if (string := token[2]) is None:
        return token[1] or b""
    try:
        return orjson.dumps(orjson.loads(string))
    except orjson.JSONDecodeError:
        return dumps_exactly(json.loads(string))


def _end_of_brackets(text: bytes, start: int) -> int:
    """Where the array or object ends that begins at `start`."""
    depth, position = 0, start
    while True:
        depth += 1 if text[position] in _OPENING else -1
        position += 1
        if not depth:
            return position
        skipped = _SKIPPED.match(text, position)
        assert skipped is not None
        position = skipped.end()
