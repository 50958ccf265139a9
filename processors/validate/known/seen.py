"""Deduplicates verified events of a partition in memory: a hint that saves work, never authoritative.

Two facts are kept of an event, each under a key of its own length: its verbatim bytes (a 16-byte fingerprint) lead to
its id (32 bytes), and the id leads to one packed record: fingerprint of the signature, `created_at`, and the relays
that are known to have it (`pairs.py`). Fingerprints are truncated SHA-256 and not a Bloom filter or a fast hash: a
false "known" would drop an event for good.

What a bundle publishes is held until it is acknowledged, and counts as known to the bundles behind it. They may leave
it out: bundles of a partition are acknowledged in order, so the offset of one that left a pair out is committed only
after the bundle that published it was acknowledged. Where the assignment ends before, both are read again, and what was
held is forgotten.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from processors.validate.known.pairs import PAIR_BYTES, RelayTokens, with_pairs
from schemas.fingerprint_map import FINGERPRINT_BYTES

# fingerprint of the signature, created_at (an accepted one is never negative, so -1 marks a quarantined event).
_HEAD = struct.Struct(f">{FINGERPRINT_BYTES}sq")
HEAD_BYTES = _HEAD.size
"""Of a record; what follows are pairs."""
_CREATED_AT = struct.Struct(">q")
_QUARANTINED = -1
# As many pairs take the memory of a key with its value, and count as one: the bound of a seen-set is one of memory.
_PAIRS_PER_KEY = 16
_KEY_BYTES = _PAIRS_PER_KEY * PAIR_BYTES


def pack(signature: bytes, created_at: int | None) -> bytes:
    """Pack what is known of a verified event, without pairs.

    Args:
        signature: its fingerprint, `FINGERPRINT_BYTES` bytes.
        created_at: seconds, or None for a quarantined event, of which no sighting can be told.
    """
    return _HEAD.pack(signature, _QUARANTINED if created_at is None else created_at)


def created_at_of(record: bytes) -> int | None:
    """Return `created_at` of a packed record, None where the event is quarantined."""
    (created_at,) = _CREATED_AT.unpack_from(record, FINGERPRINT_BYTES)
    return None if created_at == _QUARANTINED else created_at


def signature_of(record: bytes) -> bytes:
    """Return the fingerprint of the signature that was verified."""
    return record[:FINGERPRINT_BYTES]


@dataclass(slots=True, eq=False)
class Learned:
    """What a bundle teaches the seen-set once all that follows from it is acknowledged.

    Attributes:
        keys: fingerprints with the id that they lead to, and ids with their records.
        pairs: id → pairs that were published, packed.
    """

    keys: list[tuple[bytes, bytes]] = field(default_factory=list)
    pairs: dict[bytes, bytes] = field(default_factory=dict)


class SeenSet:
    """Verified and acknowledged events of one partition, bounded, with those that are still in flight beside them.

    Least recently used keys leave first. The bound is kept by two generations instead of a linked list: a full young
    one becomes the old one, and what is used in the old one moves up. Half of the bound, the most recently used, are
    always kept, at the price of a plain dict.

    Args:
        ids: events to remember at most; each has two keys (bytes and id) and takes about 350 bytes. Pairs count, too:
            sixteen are a key.
        relays: tokens of relays; None: pairs are not remembered, and every sighting is published.
    """

    def __init__(self, ids: int, relays: RelayTokens | None = None) -> None:
        self.relays = relays
        self._generation_size = ids  # keys: two of an event, in two generations
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}
        self._young_extra = 0  # keys that the pairs of the young generation stand for
        self._in_flight: dict[bytes, bytes] = {}
        self._held: deque[Learned] = deque()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def in_flight(self) -> int:
        """Keys of events that are verified and not yet acknowledged."""
        return len(self._in_flight)

    def find(self, key: bytes) -> tuple[bytes, bytes] | None:
        """Return id and record of the event with these bytes (their fingerprint), in flight or learned, or None."""
        event_id = self._young.get(key) or self._elsewhere(key)
        if event_id is None:
            return None
        # Behind the fingerprint: so an id is never older than the fingerprints that lead to it.
        record = self._young.get(event_id) or self._elsewhere(event_id)
        return None if record is None else (event_id, record)

    def get(self, event_id: bytes) -> bytes | None:
        """Return the record of an id (32 bytes), in flight or learned, or None."""
        return self._young.get(event_id) or self._elsewhere(event_id)

    def hold(self, learned: Learned) -> None:
        """Count what a bundle publishes as known until it is acknowledged or the assignment ends."""
        self._held.append(learned)
        self._in_flight.update(learned.keys)
        self._add(learned.pairs)

    def learn(self, learned: Learned) -> None:
        """Keep what is acknowledged; it is no longer in flight where it was held."""
        held = learned in self._held
        if held:
            self._held.remove(learned)
        for key, value in learned.keys:
            # What was held may have gained pairs meanwhile.
            self._put(key, self._in_flight.pop(key, value))
        if not held:
            self._add(learned.pairs)

    def forget_in_flight(self) -> None:
        """Drop what was in flight: its assignment is over, and its acknowledgement will not be heard.

        An event that has pairs in flight loses all of its pairs: they are published once more.
        """
        self._in_flight.clear()
        for learned in self._held:
            for event_id in learned.pairs:
                for generation in (self._young, self._old):
                    if event_id in generation:
                        generation[event_id] = generation[event_id][:HEAD_BYTES]
        self._held.clear()

    def _add(self, pairs: Mapping[bytes, bytes]) -> None:
        for event_id, added in pairs.items():
            record = self._young.get(event_id) or self._elsewhere(event_id)
            if record is None:  # forgotten since the bundle was looked at
                continue
            grown = with_pairs(record, HEAD_BYTES, added)
            if event_id not in self._young:
                self._in_flight[event_id] = grown
                continue
            self._young[event_id] = grown
            if extra := (len(grown) - HEAD_BYTES) // _KEY_BYTES - (len(record) - HEAD_BYTES) // _KEY_BYTES:
                self._young_extra += extra
                self._bound()

    def _elsewhere(self, key: bytes) -> bytes | None:
        """Return what is in flight or old under a key that is not young."""
        value = self._in_flight.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self._put(key, value)
        return value

    def _put(self, key: bytes, value: bytes) -> None:
        self._bound()
        self._young[key] = value
        # None for the value of a fingerprint.
        self._young_extra += (len(value) - HEAD_BYTES) // _KEY_BYTES

    def _bound(self) -> None:
        if len(self._young) + self._young_extra >= self._generation_size:
            self._old = self._young
            self._young = {}
            self._young_extra = 0
