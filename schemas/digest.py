"""A digest of the archive that does not depend on order, so that replays and rebuilds can be compared.

It covers what ids commit to and the pairs (id, relay); never the signature, of which an event may have several valid
ones, nor the time of a sighting, which a replay or another relay's copy may change. Each part is the sum of SHA-256
values modulo 2^256, so digests of disjoint parts can be computed apart and merged. It detects loss and duplication; it
is no defence against an attacker who may choose the events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

_MODULUS_MASK = 2**256 - 1
"""Sums are kept to the width of SHA-256."""


class Tally:
    """How many items there are, and the sum of their SHA-256 values."""

    __slots__ = ("count", "total")

    def __init__(self, count: int = 0, total: int = 0) -> None:
        self.count = count
        self.total = total

    def add(self, item: bytes) -> None:
        """Add an item once."""
        self.count += 1
        self.total = (self.total + _number(item)) & _MODULUS_MASK

    def merge(self, other: Tally) -> None:
        """Add all that another tally covers; the two must cover disjoint parts."""
        self.count += other.count
        self.total = (self.total + other.total) & _MODULUS_MASK

    def hexdigest(self) -> str:
        """The sum, 64 hex digits."""
        return f"{self.total:064x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and (self.count, self.total) == (other.count, other.total)

    def __hash__(self) -> int:
        return hash((self.count, self.total))

    def __repr__(self) -> str:
        return f"Tally({self.count}, {self.hexdigest()})"


class Digest:
    """Tallies of events and of pairs of event and relay; an event is added as its id."""

    def __init__(self, events: Tally | None = None, pairs: Tally | None = None) -> None:
        self._events = events or Tally()
        self._pairs = pairs or Tally()

    @property
    def events(self) -> int:
        """How many events were added."""
        return self._events.count

    @property
    def pairs(self) -> int:
        """How many pairs were added."""
        return self._pairs.count

    def add_event(self, id_hex: str) -> None:
        """Add an event by its id, recomputed from what is stored: 64 hex digits."""
        self._events.add(bytes.fromhex(id_hex))

    def add_pair(self, id_hex: str, relay: str) -> None:
        """Add that a relay was seen to hold an event; `relay` is the normalised URL."""
        self._pairs.add(bytes.fromhex(id_hex) + relay.encode())

    def merge(self, other: Digest) -> None:
        """Add all that another digest covers; the two must cover disjoint parts."""
        self._events.merge(other._events)
        self._pairs.merge(other._pairs)

    def events_hex(self) -> str:
        """The digest of the events, 64 hex digits."""
        return self._events.hexdigest()

    def pairs_hex(self) -> str:
        """The digest of the pairs of event and relay, 64 hex digits."""
        return self._pairs.hexdigest()

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


@dataclass(slots=True)
class ArchiveDigest:
    """Tallies of every table of an archive, by the month of its rows.

    Attributes:
        tallies: by table, then by month (`2026-11`; the empty string for rows without a time). Tables are named as in
            PostgreSQL.
    """

    tallies: dict[str, dict[str, Tally]] = field(default_factory=dict)

    def tally(self, table: str, month: str) -> Tally:
        """The tally of a month of a table, to add to."""
        return self.tallies.setdefault(table, {}).setdefault(month, Tally())

    def table(self, name: str) -> Tally:
        """All months of a table together."""
        whole = Tally()
        for tally in self.tallies.get(name, {}).values():
            whole.merge(tally)
        return whole

    def merge(self, other: ArchiveDigest) -> None:
        """Add all that another digest covers; the two must cover disjoint parts."""
        for table, months in other.tallies.items():
            for month, tally in months.items():
                self.tally(table, month).merge(tally)

    def digest(self) -> Digest:
        """That of events and sightings alone, in which two archives are compared that were filled apart."""
        return Digest(self.table("events"), self.table("sightings"))

    def hexdigest(self) -> str:
        """The digest of all tables that have rows, 64 hex digits."""
        wholes = {name: self.table(name) for name in sorted(self.tallies)}
        lines = [f"{name} {tally.count} {tally.hexdigest()}\n" for name, tally in wholes.items() if tally.count]
        return sha256("".join(lines).encode()).hexdigest()

    def differences(self, other: ArchiveDigest) -> list[tuple[str, str]]:
        """The tables and months in which two archives differ, in order."""
        keys = {
            (table, month) for digest in (self, other) for table, months in digest.tallies.items() for month in months
        }
        nothing = Tally()
        return [
            (table, month)
            for table, month in sorted(keys)
            if self.tallies.get(table, {}).get(month, nothing) != other.tallies.get(table, {}).get(month, nothing)
        ]


def _number(data: bytes) -> int:
    return int.from_bytes(sha256(data).digest())
