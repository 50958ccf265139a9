"""The sightings of a bundle that are published into its own partition: those pairs that are not known already."""

from __future__ import annotations

from dataclasses import dataclass, field

from processors.validate.known.pairs import TIME_BYTES, RelayTokens, known_time, with_pair
from processors.validate.known.seen import HEAD_BYTES, created_at_of
from processors.validate.outcome import Groups


@dataclass(slots=True, eq=False)
class NewSightings:
    """Collects what is to be published.

    Attributes:
        relays: tokens of relays; None: no pair counts as known.
        groups: what is published.
        pairs: id → pairs of what is published, packed, for the seen-set.
        known: sightings that were left out.
    """

    relays: RelayTokens | None
    groups: Groups = field(default_factory=dict)
    pairs: dict[bytes, bytes] = field(default_factory=dict)
    known: int = 0

    def add(self, relay: str, seen_at_ms: int, event_id: bytes, record: bytes) -> None:
        """Add a copy, unless its pair is known with this time or an earlier one.

        Args:
            relay: that sent it.
            seen_at_ms: when.
            event_id: 32 bytes.
            record: of the event, as the seen-set has it or will have it. One of a quarantined event has no sightings:
                it is not in the archive.
        """
        created_at = created_at_of(record)
        if created_at is None:
            return
        if self.relays is not None:
            token, time = self.relays[relay], seen_at_ms.to_bytes(TIME_BYTES)  # `pack_time`, without a call
            here = self.pairs.get(event_id, b"")
            before = (here and known_time(here, 0, token)) or known_time(record, HEAD_BYTES, token)
            if before is not None and before <= time:
                self.known += 1
                return
            self.pairs[event_id] = with_pair(here, 0, token, time) if here else token + time
        group = self.groups.get((relay, seen_at_ms))
        if group is None:
            self.groups[relay, seen_at_ms] = [(event_id.hex(), created_at)]
        else:
            group.append((event_id.hex(), created_at))
