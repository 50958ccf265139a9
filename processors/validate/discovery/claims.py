"""What monitors say of relays by NIP-66 events (kind 30166), for the agent that assesses relays.

Each of a bundle's events counts, unlike what is told of a relay's name: that it comes again is what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schemas.nostr.event import Event
from schemas.nostr.relay_mentions import MONITORED, Mention
from schemas.partition import relay_partition
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import MOST_MONITORS, Claim
from schemas.relay_urls.relay_url import RelayUrl

_PLACE = f"{MONITORED} d"
_RTT_OPEN = "rtt-open"
_LONGEST_RTT = 6
"""Digits of milliseconds: 16 minutes, longer than anyone waits."""
_MOST_S = 2**32
"""Of a time in seconds, in the year 2106: events may state any number."""


@dataclass(slots=True, eq=False)
class RelayClaims:
    """The claims about one relay, of a bundle.

    Attributes:
        url: normalised.
        seen_at_ms: when the first of their events was received.
        by_monitor: the newest of each, by public key.
    """

    url: RelayUrl
    seen_at_ms: int
    by_monitor: dict[str, Claim] = field(default_factory=dict)

    def key(self) -> bytes:
        """The key of its record in `relays.found`."""
        return self.url.url.encode()

    def partition(self, partitions: int) -> int:
        """The partition of its record, of so many: beside the probes of the relay."""
        return relay_partition(self.url.host, partitions)

    def encode(self) -> bytes:
        """The value of its record."""
        newest = sorted(self.by_monitor.values(), key=lambda claim: (claim.at_s, claim.monitor))[-MOST_MONITORS:]
        return RelayFound(url=self.url.url, first_seen_ms=self.seen_at_ms, claims=tuple(newest)).encode()


class Claims:
    """Claims of any number of events, by relay."""

    def __init__(self) -> None:
        self._by_url: dict[str, RelayClaims] = {}

    def __iter__(self) -> Iterator[RelayClaims]:
        return iter(self._by_url.values())

    def add(self, mentions: Iterable[Mention], event: Event, seen_at_ms: int) -> None:
        """Add what one event says, if it is one of a monitor.

        Args:
            mentions: of the event.
            event: accepted.
            seen_at_ms: of the copy that is published.
        """
        if event.kind != MONITORED or not 0 <= event.created_at < _MOST_S:
            return
        for url, _, place in mentions:
            if place == _PLACE:
                of_relay = self._by_url.setdefault(url.url, RelayClaims(url, seen_at_ms))
                known = of_relay.by_monitor.get(event.pubkey)
                if known is None or known.at_s < event.created_at:
                    of_relay.by_monitor[event.pubkey] = Claim(
                        monitor=event.pubkey, at_s=event.created_at, rtt_open_ms=_rtt_open_ms(event)
                    )


def _rtt_open_ms(event: Event) -> int | None:
    """The time that the monitor needed to open a connection; None where it is no number of milliseconds."""
    for name, text in (tag[:2] for tag in event.tags if len(tag) > 1):
        if name == _RTT_OPEN:
            return int(text) if len(text) <= _LONGEST_RTT and text.isascii() and text.isdigit() else None
    return None
