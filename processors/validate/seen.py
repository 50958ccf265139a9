"""Deduplicates verified events of a partition in memory: a hint that saves signature checks, never authoritative.

Two facts are kept of an event, each under a key of its own length: its verbatim bytes (a 16-byte fingerprint) and its
id (32 bytes). Both lead to one packed record: id, fingerprint of the signature, `created_at`. Fingerprints are
truncated SHA-256 and not a Bloom filter or a fast hash: a false "known" would drop an event for good.
"""

from __future__ import annotations

import struct
from hashlib import sha256

# 128 bits: two inputs that share a fingerprint cost 2^64 hashes to find, and would only hide one from its own author.
FINGERPRINT_BYTES = 16

# id, fingerprint of the signature, created_at (an accepted one is never negative, so -1 marks a quarantined event).
_RECORD = struct.Struct(f">32s{FINGERPRINT_BYTES}sq")
_ID_BYTES = 32
_QUARANTINED = -1


def fingerprint(raw: bytes) -> bytes:
    """Make the key for verbatim bytes: equal for equal bytes, and for others only with negligible probability."""
    return sha256(raw).digest()[:FINGERPRINT_BYTES]


def pack(event_id: bytes, signature: bytes, created_at: int | None) -> bytes:
    """Pack what is known of a verified event.

    Args:
        event_id: 32 bytes.
        signature: its fingerprint, `FINGERPRINT_BYTES` bytes.
        created_at: seconds, or None for a quarantined event, of which no sighting can be told.
    """
    return _RECORD.pack(event_id, signature, _QUARANTINED if created_at is None else created_at)


def unpack(record: bytes) -> tuple[str, int | None]:
    """Return the id (hex) and `created_at` (None: quarantined) of a packed record."""
    event_id, _, created_at = _RECORD.unpack(record)
    return event_id.hex(), None if created_at == _QUARANTINED else created_at


def id_of(record: bytes) -> bytes:
    """Return the id, 32 bytes."""
    return record[:_ID_BYTES]


def signature_of(record: bytes) -> bytes:
    """Return the fingerprint of the signature that was verified."""
    return record[_ID_BYTES : _ID_BYTES + FINGERPRINT_BYTES]


class SeenSet:
    """Verified and acknowledged events of one partition, bounded, with those that are still in flight beside them.

    Least recently used keys leave first. The bound is kept by two generations instead of a linked list: a full young
    one becomes the old one, and what is used in the old one moves up. Half of the bound, the most recently used, are
    always kept, at the price of a plain dict.

    Args:
        ids: events to remember at most; each has two keys (bytes and id) and takes about 350 bytes.
    """

    def __init__(self, ids: int) -> None:
        self._generation_size = ids  # keys: two of an event, in two generations
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}
        self._in_flight: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def in_flight(self) -> int:
        """Keys of events that are verified and not yet acknowledged."""
        return len(self._in_flight)

    def get(self, key: bytes) -> bytes | None:
        """Return the record of a fingerprint or an id, in flight or learned, or None."""
        record = self._in_flight.get(key)
        if record is None:
            record = self._young.get(key)
            if record is None:
                record = self._old.get(key)
                if record is not None:
                    self._put(key, record)
        return record

    def hold(self, learned: list[tuple[bytes, bytes]]) -> None:
        """Count verified events as in flight until their outputs are acknowledged."""
        self._in_flight.update(learned)

    def learn(self, learned: list[tuple[bytes, bytes]]) -> None:
        """Add events whose outputs are acknowledged; they are no longer in flight."""
        for key, record in learned:
            self._in_flight.pop(key, None)
            self._put(key, record)

    def forget_in_flight(self) -> None:
        """Drop what was in flight: its assignment is over, and its acknowledgement will not be heard."""
        self._in_flight.clear()

    def _put(self, key: bytes, record: bytes) -> None:
        if len(self._young) >= self._generation_size:
            self._old = self._young
            self._young = {}
        self._young[key] = record
