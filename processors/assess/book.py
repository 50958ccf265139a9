"""The newest record of each relay, compressed, with what is asked of it often."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern

from processors.assess.promise import lapses_at_ms
from schemas.records.relay_health import HealthState, RelayHealth


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one URL.

    Attributes:
        packed: the encoded record, compressed: a record of 400 days takes 7 kB so, and 26 as text.
        partition: of the relay, by its host.
        host: of the URL.
        state: of the record.
        probed_at_ms: of the newest probe.
        lapses_at_ms: when the state becomes unknown; None where it is.
        document: hash of the information document.
    """

    packed: bytes
    partition: int
    host: str
    state: HealthState
    probed_at_ms: int
    lapses_at_ms: int | None
    document: bytes | None

    @property
    def value(self) -> bytes:
        """The encoded record."""
        return zlib.decompress(self.packed)

    @property
    def health(self) -> RelayHealth:
        """The record."""
        return RelayHealth.decode(self.value)


def entry_of(health: RelayHealth, value: bytes, host: str, partition: int) -> Entry:
    """Make the entry of a record and its encoding."""
    return Entry(
        packed=zlib.compress(value),
        partition=partition,
        host=intern(host),
        state=health.state,
        probed_at_ms=health.probed_at_ms or 0,
        lapses_at_ms=None if health.state == "unknown" else lapses_at_ms(health),
        document=None if health.document is None else bytes.fromhex(health.document),
    )


class HealthBook:
    """Entries by URL."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._by_document: dict[bytes, set[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, url: str) -> Entry | None:
        """The entry of a URL."""
        return self._entries.get(url)

    def everything(self) -> Iterator[tuple[str, Entry]]:
        """Every URL with its entry."""
        return iter(self._entries.items())

    def put(self, url: str, entry: Entry) -> None:
        """Set the entry of a URL."""
        self.remove(url)
        self._entries[url] = entry
        if entry.document is not None:
            self._by_document.setdefault(entry.document, set()).add(url)

    def remove(self, url: str) -> None:
        """Forget a URL, if it is known."""
        entry = self._entries.pop(url, None)
        if entry is not None and entry.document is not None:
            urls = self._by_document[entry.document]
            urls.discard(url)
            if not urls:
                del self._by_document[entry.document]

    def keep(self, partitions: frozenset[int]) -> None:
        """Forget the relays of all other partitions."""
        for url in [url for url, entry in self._entries.items() if entry.partition not in partitions]:
            self.remove(url)

    def with_document(self, document: bytes) -> Iterator[tuple[str, Entry]]:
        """The URLs that give a document, with their entries."""
        return ((url, self._entries[url]) for url in self._by_document.get(document, ()))
