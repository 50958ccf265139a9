"""The demo's comparison: the events that the relays accepted, and those that the archive holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bigbrotr.console.snapshot_view import by_reason
from bigbrotr.demo.process import Offer
from bigbrotr.status.snapshot import Snapshot
from schemas.digest import Digest

# Nothing new for this long, with events still missing: they do not come any more. Longer than a restart of any service
# with its first back-offs and the 10 s for which Kafka keeps the partitions of a killed processor.
STALLED_AFTER_S = 60.0


@dataclass(frozen=True)
class Held:
    """What the archive holds."""

    digest: Digest
    per_relay: Mapping[str, int]


def mismatches(offer: Offer, held: Held, rejected: Mapping[str, int]) -> list[str]:
    """Name everything in which the archive is not exactly what the relays offered; empty when it is."""
    found = []
    if held.digest.events != offer.events:
        found.append(f"the relays offered {offer.events:,} distinct events, the archive holds {held.digest.events:,}")
    elif held.digest.events_hex() != offer.events_digest:
        found.append(f"the archive holds {offer.events:,} events, but other ones than the relays offered")
    for url in sorted({*offer.per_relay, *held.per_relay}):
        offered, seen = offer.per_relay.get(url, 0), held.per_relay.get(url, 0)
        if offered != seen:
            found.append(f"{url} offered {offered:,} events, the archive saw {seen:,} there")
    if not found and held.digest.pairs_hex() != offer.pairs_digest:
        found.append("the archive saw as many events at each relay as were offered, but other ones")
    if rejected:
        found.append(f"valid events were rejected: {by_reason(rejected)}")
    return found


class Completion:
    """Decides when a demo is complete: everything offered is archived, or there was no progress for long."""

    def __init__(self) -> None:
        self.offer: Offer | None = None
        self.first_row_at_s: float | None = None
        self.complete_at_s: float | None = None
        self.stalled = False
        self.rejected: dict[str, int] = {}
        self._last: tuple[object, ...] = ()
        self._moved_at_s: float | None = None

    def reached(self, snapshot: Snapshot) -> bool:
        """Look at a snapshot; `offer` must be set once the relays have nothing more to offer."""
        counts = snapshot.counts
        self.rejected = dict(counts.rejected)
        if counts.archived and self.first_row_at_s is None:
            self.first_row_at_s = snapshot.at_s
        state = (counts.received, counts.archived, counts.sightings, self.offer is None)
        if state != self._last or self._moved_at_s is None:
            self._last, self._moved_at_s = state, snapshot.at_s
        if self.offer is None or counts.archived is None or counts.sightings is None:
            return False
        if counts.archived >= self.offer.events and counts.sightings >= self.offer.pairs:
            self.complete_at_s = snapshot.at_s
            return True
        self.stalled = snapshot.at_s - self._moved_at_s > STALLED_AFTER_S
        return self.stalled
