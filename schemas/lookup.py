"""The numbers by which events are looked up: 8 bytes index better than 32, and than text of any length.

Both are functions of the database too, under the same names. A number may fit more than one key or tag: a look-up by
it must compare the key or the tag itself.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct

first_int64 = Struct(">q").unpack_from
"""The first 8 bytes of some as a tuple of one signed 64-bit number, big-endian."""


MORE_TAGS = 0
"""Among the numbers of an event's tags: it has more tags than are indexed. A tag has this number once in 2^64."""


def key_prefix(key: bytes) -> int:
    """The first 8 bytes of an id or a public key as a signed 64-bit number."""
    prefix: int = first_int64(key)[0]
    return prefix


def tag_hash(name: str, value: str) -> int:
    """The number that a tag is indexed by: the first 8 bytes of sha256(`name:value`)."""
    prefix: int = first_int64(sha256(f"{name}:{value}".encode()).digest())[0]
    return prefix
