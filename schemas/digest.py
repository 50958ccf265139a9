"""A digest of the archive that does not depend on order, so that replays and rebuilds can be compared.

It covers what ids commit to and the pairs (id, relay); never the signature, of which an event may have several valid
ones, nor the time of a sighting (design section 6). Each part is the sum of SHA-256 values modulo 2^256, so digests of
disjoint parts can be computed apart and merged. It detects loss and doubling; it is no defence against an opponent who
may choose the events.
"""

from __future__ import annotations

from hashlib import sha256

_MODULUS_MASK = 2**256 - 1
"""Sums are kept to the width of SHA-256."""


class Digest:
    """Sums over events and over pairs of event and relay.

    Attributes:
        events: how many events were added.
        pairs: how many pairs were added.
    """

    def __init__(self) -> None:
        self.events = 0
        self.pairs = 0
        self._event_sum = 0
        self._pair_sum = 0

    def add_event(self, id_hex: str) -> None:
        """Add an event by its id, recomputed from what is stored: 64 hex digits."""
        self.events += 1
        self._event_sum = (self._event_sum + _number(bytes.fromhex(id_hex))) & _MODULUS_MASK

    def add_pair(self, id_hex: str, relay: str) -> None:
        """Add that a relay was seen to hold an event; `relay` is the normalised URL."""
        self.pairs += 1
        self._pair_sum = (self._pair_sum + _number(bytes.fromhex(id_hex) + relay.encode())) & _MODULUS_MASK

    def merge(self, other: Digest) -> None:
        """Add all that another digest covers; the two must cover disjoint parts."""
        self.events += other.events
        self.pairs += other.pairs
        self._event_sum = (self._event_sum + other._event_sum) & _MODULUS_MASK
        self._pair_sum = (self._pair_sum + other._pair_sum) & _MODULUS_MASK

    def events_hex(self) -> str:
        """The digest of the events, 64 hex digits."""
        return f"{self._event_sum:064x}"

    def pairs_hex(self) -> str:
        """The digest of the pairs of event and relay, 64 hex digits."""
        return f"{self._pair_sum:064x}"

    def hexdigest(self) -> str:
        """The digest of everything, the counts included, 64 hex digits."""
        text = f"events {self.events} {self.events_hex()}\npairs {self.pairs} {self.pairs_hex()}\n"
        return sha256(text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and self.hexdigest() == other.hexdigest()

    def __hash__(self) -> int:
        return hash(self.hexdigest())

    def __repr__(self) -> str:
        return f"Digest({self.events} events, {self.pairs} pairs, {self.hexdigest()})"


def _number(data: bytes) -> int:
    return int.from_bytes(sha256(data).digest())
