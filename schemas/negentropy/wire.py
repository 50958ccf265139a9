"""The bytes of a negentropy message, protocol version 1: varints, bounds and ranges, read strictly and written shortly.

A message is a version byte and ranges one after the other. Each has an upper bound, excluded, and begins where the one
before ended; what a message leaves out at its end is settled.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from schemas.ranges import Range

PROTOCOL_VERSION = 0x61
ID_BYTES = 32
FINGERPRINT_BYTES = 16
SKIP, FINGERPRINT, ID_LIST = 0, 1, 2
"""How a range is told: it is settled; its fingerprint; all of its ids."""
END_OF_TIME = 2**64 - 1
"""The timestamp of the infinite bound; no item may have it."""
MOST_RANGES = 32_768
"""In a message: more than fit into the 500,000 bytes that strfry sends, with a fingerprint each. They take 0.1 s, in
which no other relay is read."""
_LONGEST_VARINT = 10
"""Bytes: 64 bits in digits of 7."""

Item = tuple[int, bytes]
"""created_at in seconds, and id."""


class NegentropyError(ValueError):
    """The other side sent what is no message of protocol version 1, or more than it may."""


class TooManyError(NegentropyError):
    """The other side has more that we lack than was to be found out."""


class Bound(NamedTuple):
    """Where a range ends: the first item that is not in it, its id shortened as far as that leaves it the first.

    Bytes that a prefix lacks count as zero, so (timestamp, prefix) compares with items as it stands.
    """

    timestamp: int
    prefix: bytes


INFINITE = Bound(END_OF_TIME, b"")


def bound_between(last: Item, first: Item) -> Bound:
    """The shortest bound that separates two items next to each other."""
    if last[0] != first[0]:
        return Bound(first[0], b"")
    shared = next((place for place in range(ID_BYTES) if last[1][place] != first[1][place]), ID_BYTES - 1)
    return Bound(first[0], first[1][: shared + 1])


def seconds_between(begin: Bound, end: Bound, event_id: bytes) -> Range:
    """In which seconds, both included, an item with this id may lie that was listed between two bounds."""
    since = begin.timestamp + (event_id < begin.prefix)
    until = end.timestamp - (event_id >= end.prefix)
    # An id that cannot lie there was listed all the same.
    return (since, until) if since <= until else (begin.timestamp, end.timestamp)


def fingerprint_of(sum_of_ids: int, count: int) -> bytes:
    """The fingerprint of a set of ids.

    Args:
        sum_of_ids: of the ids as little-endian integers, not reduced.
        count: how many they are.
    """
    total = sum_of_ids % 2 ** (8 * ID_BYTES)
    return sha256(total.to_bytes(ID_BYTES, "little") + varint(count)).digest()[:FINGERPRINT_BYTES]


def varint(number: int) -> bytes:
    """Write an integer from 0 in digits of 7 bits, the most significant first."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


class MessageWriter:
    """A message that grows by ranges."""

    def __init__(self) -> None:
        self._value = bytearray([PROTOCOL_VERSION])
        self._timestamp = 0

    def __len__(self) -> int:
        return len(self._value)

    @property
    def empty(self) -> bool:
        """Whether it says nothing: all is settled."""
        return len(self._value) == 1

    def value(self) -> bytes:
        """The message."""
        return bytes(self._value)

    def mark(self) -> tuple[int, int]:
        """Where it stands, for `back_to`."""
        return len(self._value), self._timestamp

    def back_to(self, mark: tuple[int, int]) -> None:
        """Leave out everything since."""
        length, self._timestamp = mark
        del self._value[length:]

    def skip(self, bound: Bound) -> None:
        """Up to here all is settled."""
        self._range(bound, SKIP)

    def fingerprint(self, bound: Bound, fingerprint: bytes) -> None:
        """Up to here our items have this fingerprint."""
        self._range(bound, FINGERPRINT)
        self._value += fingerprint

    def ids(self, bound: Bound, ids: list[bytes]) -> None:
        """Up to here our items have these ids."""
        self._range(bound, ID_LIST)
        self._value += varint(len(ids))
        self._value += b"".join(ids)

    def _range(self, bound: Bound, mode: int) -> None:
        if bound.timestamp == END_OF_TIME:
            self._value += varint(0)
        else:
            self._value += varint(1 + bound.timestamp - self._timestamp)
        self._timestamp = bound.timestamp
        self._value += varint(len(bound.prefix))
        self._value += bound.prefix
        self._value += varint(mode)


class MessageReader:
    """Reads a message range by range: `next`, then `fingerprint` or `ids`, as the mode says.

    Everything raises `NegentropyError` where the bytes are malformed.
    """

    def __init__(self, value: bytes) -> None:
        if not value:
            raise NegentropyError("an empty message")
        if value[0] != PROTOCOL_VERSION:
            raise NegentropyError(f"protocol version {value[0]:#04x}; only {PROTOCOL_VERSION:#04x} is spoken here")
        self._value = value
        self._at = 1
        self._ranges = 0
        self._before = Bound(0, b"")

    @property
    def ended(self) -> bool:
        """Whether there is no further range."""
        return self._at == len(self._value)

    def next(self) -> tuple[Bound, int]:
        """The upper bound of the next range, and its mode."""
        if self._before.timestamp == END_OF_TIME:
            raise NegentropyError("a range begins at the end of time")
        self._ranges += 1
        if self._ranges > MOST_RANGES:
            raise NegentropyError(f"more than {MOST_RANGES} ranges in a message")
        step = self._varint()
        timestamp = min(self._before.timestamp + step - 1, END_OF_TIME) if step else END_OF_TIME
        length = self._varint()
        if length > ID_BYTES:
            raise NegentropyError(f"a bound with {length} bytes of an id")
        bound = Bound(timestamp, self._take(length))
        if bound < self._before:
            raise NegentropyError("a range ends before it begins")
        self._before = bound
        return bound, self._varint()

    def fingerprint(self) -> bytes:
        """What follows in mode `FINGERPRINT`."""
        return self._take(FINGERPRINT_BYTES)

    def ids(self) -> list[bytes]:
        """What follows in mode `ID_LIST`."""
        count = self._varint()
        ids = self._take(count * ID_BYTES)
        return [ids[start : start + ID_BYTES] for start in range(0, len(ids), ID_BYTES)]

    def _varint(self) -> int:
        number = 0
        for _ in range(_LONGEST_VARINT):
            (digit,) = self._take(1)
            number = number << 7 | digit & 0x7F
            if not digit & 0x80:
                if number > END_OF_TIME:
                    break
                return number
        raise NegentropyError("an integer of more than 64 bits")

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._value):
            raise NegentropyError("the message ends in the middle of a range")
        taken = self._value[self._at : end]
        self._at = end
        return taken
