"""What events say of relays, added up: one record of `relays.found` for each relay, however many events name it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from schemas.nostr.relay_mentions import Mention
from schemas.records.relay import MOST_AUTHORS, MOST_PLACES, author_hash
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import RelayUrl


@dataclass(slots=True, eq=False)
class Finding:
    """One relay, as events name it. What is kept depends neither on the order of events nor on their number.

    Attributes:
        url: normalised.
        first: least time in ms at which an event that names it was received, with the spelling there; of several of
            that time, the least one.
        authors: the lowest hashes, ascending.
        places: the lowest, ascending.
    """

    url: RelayUrl
    first: tuple[int, str]
    authors: tuple[str, ...]
    places: tuple[str, ...]

    def take(self, other: Self) -> None:
        """Add what another finding of the same relay says."""
        self.first = min(self.first, other.first)
        self.authors = lowest(self.authors, other.authors, MOST_AUTHORS)
        self.places = lowest(self.places, other.places, MOST_PLACES)

    def covers(self, other: Self) -> bool:
        """Whether `take` would change nothing."""
        return (
            self.first <= other.first
            and lowest(self.authors, other.authors, MOST_AUTHORS) == self.authors
            and lowest(self.places, other.places, MOST_PLACES) == self.places
        )

    def key(self) -> bytes:
        """The key of its record in `relays.found`."""
        return self.url.url.encode()

    def partition(self, partitions: int) -> int:
        """The partition of its record, of so many."""
        return domain_partition(self.url.host, partitions)

    def encode(self) -> bytes:
        """The value of its record."""
        first_seen_ms, spelling = self.first
        # Credentials, which `url.spelling` is without, are for one reader, who is not us.
        shown = self.url.spelling if "@" in spelling else spelling
        return RelayFound(
            url=self.url.url,
            spelling=None if shown == self.url.url else shown,
            source="event",
            places=self.places,
            authors=self.authors,
            first_seen_ms=first_seen_ms,
        ).encode()


class Findings:
    """Findings of any number of events, one for each relay."""

    def __init__(self) -> None:
        self._by_url: dict[str, Finding] = {}

    def __len__(self) -> int:
        return len(self._by_url)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._by_url.values())

    def add(self, mentions: Iterable[Mention], pubkey: str, seen_at_ms: int) -> None:
        """Add what one event says.

        Args:
            mentions: of the event.
            pubkey: of its author.
            seen_at_ms: of the copy that is published.
        """
        authors: tuple[str, ...] = ()
        for url, spelling, place in mentions:
            authors = authors or (author_hash(pubkey),)
            finding = Finding(url, (seen_at_ms, spelling), authors, (place,))
            known = self._by_url.setdefault(url.url, finding)
            if known is not finding:
                known.take(finding)


def lowest(kept: tuple[str, ...], more: tuple[str, ...], most: int) -> tuple[str, ...]:
    """The lowest of both, ascending and each once; the same object where nothing is added."""
    for item in more:
        if item not in kept and (len(kept) < most or item < kept[-1]):
            kept = tuple(sorted((*kept, item))[:most])
    return kept
