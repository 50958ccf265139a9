"""Copies of a genuine event with other bytes: the id and the signature stay right, whatever is put around the members.

Anyone can make them of anyone's events, as many as he likes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from random import Random

import orjson


def with_members(event: bytes, size_bytes: int, number: int) -> bytes:
    """An unknown member that no other copy has."""
    return event[:-1] + b',"padding":"%d %s"}' % (number, _text(size_bytes))


def with_white_space(event: bytes, size_bytes: int, number: int) -> bytes:
    """White space before the first member, one space more for each copy."""
    return b"{" + b" " * (size_bytes + number) + event[1:]


def with_escapes(event: bytes, size_bytes: int, number: int) -> bytes:
    """Each character of the content escaped, and so those of an unknown member."""
    content: str = orjson.loads(event)["content"]
    plain, escaped = orjson.dumps(content), b'"' + _escaped(content) + b'"'
    filler = _escaped_text(size_bytes)
    return with_members(event.replace(b'"content":' + plain, b'"content":' + escaped), 0, number)[:-1] + (
        b',"more":"' + filler + b'"}'
    )


def with_half_a_surrogate(event: bytes, size_bytes: int, number: int) -> bytes:
    """An unknown member that is no text of Unicode."""
    return with_members(event, size_bytes, number)[:-1] + b',"half":"\\ud800"}'


WAYS: tuple[Callable[[bytes, int, int], bytes], ...] = (
    with_members,
    with_white_space,
    with_escapes,
    with_half_a_surrogate,
)


def padded(event: bytes, size_bytes: int, number: int) -> bytes:
    """The copy with this number, in one of the ways by turns; about `size_bytes` longer."""
    return WAYS[number % len(WAYS)](event, size_bytes, number)


@lru_cache
def _text(size_bytes: int) -> bytes:
    # Random, since a compressor would make nothing of it otherwise.
    return b64encode(Random(0).randbytes(size_bytes))[:size_bytes]


@lru_cache
def _escaped_text(size_bytes: int) -> bytes:
    return _escaped(_text(size_bytes // len(_escaped("x"))).decode())


def _escaped(text: str) -> bytes:
    return b"".join(b"\\u%04x" % ord(character) for character in text)
