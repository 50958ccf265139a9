"""A map from fingerprints to integers for millions of entries: 29 bytes each, where a dict takes 115 to 180.

Entries lie in a few thousand byte strings instead of objects of their own. A look-up is one search in such a string.
What is put is never removed.
"""

from __future__ import annotations

from hashlib import sha256

FINGERPRINT_BYTES = 16
"""128 bits: two inputs that share a fingerprint cost 2^64 hashes to find, an input that shares a given one 2^128."""
_VALUE_BYTES = 8
_ENTRY_BYTES = FINGERPRINT_BYTES + _VALUE_BYTES
_BUCKETS = 2**15
"""A million entries make strings of 730 bytes, which are searched in less than 0.1 µs and copied in as much."""


def fingerprint(data: bytes) -> bytes:
    """Truncate the SHA-256 of data to `FINGERPRINT_BYTES`."""
    return sha256(data).digest()[:FINGERPRINT_BYTES]


class FingerprintMap:
    """Keys are `FINGERPRINT_BYTES` long and values are from 0 to 2^63 - 1. Of a key's values the largest is kept."""

    __slots__ = ("_buckets", "_size")

    def __init__(self) -> None:
        # By Python's hash, which is seeded anew in each process: no input can fill one bucket.
        self._buckets: dict[int, bytes] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def get(self, key: bytes) -> int | None:
        """Return the value of a key, or None."""
        bucket = self._buckets.get(hash(key) % _BUCKETS)
        if bucket is None or (at := _place(bucket, key)) < 0:
            return None
        return int.from_bytes(bucket[at + FINGERPRINT_BYTES : at + _ENTRY_BYTES])

    def put(self, key: bytes, value: int) -> None:
        """Set the value of a key, unless it has a larger one.

        Raises:
            ValueError: the key has another length.
        """
        if len(key) != FINGERPRINT_BYTES:
            raise ValueError(f"key: has {len(key)} bytes; it must have {FINGERPRINT_BYTES}")
        number = hash(key) % _BUCKETS
        bucket = self._buckets.get(number, b"")
        entry = key + value.to_bytes(_VALUE_BYTES)
        at = _place(bucket, key)
        if at < 0:
            self._buckets[number] = bucket + entry
            self._size += 1
        elif entry > bucket[at : at + _ENTRY_BYTES]:
            self._buckets[number] = bucket[:at] + entry + bucket[at + _ENTRY_BYTES :]


def _place(bucket: bytes, key: bytes) -> int:
    """Where an entry begins, or -1. The bytes of a key may stand across two entries, too."""
    at = bucket.find(key)
    while at % _ENTRY_BYTES and at > 0:
        at = bucket.find(key, at + 1)
    return at
