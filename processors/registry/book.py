"""The registry in memory: each record as its bytes, with what caps and bounds count by.

A record takes about a kilobyte so, and four as objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern

from processors.registry.admission import is_free, is_vouched
from processors.registry.bounds import Candidates, rank
from schemas.records.relay import RelayRecord
from schemas.relay_urls.registrable_domain import domain_partition, registrable_domain

DAY_MS = 86_400_000


@dataclass(slots=True)
class Entry:
    """What is known of one URL.

    Attributes:
        value: the encoded record.
        host: of the URL.
        domain: the registrable one.
        partition: of the domain.
        admitted: whether it stands in `relays`, else in `relays.candidates`.
        in_relays: whether that topic has a record of it, as far as is known.
        in_candidates: the same.
        durable: whether the topic is known to have this very record.
        state: of the record.
        admitted_on: the UTC day on which a cap let it in; None where none did.
        first_seen_ms: of the record.
    """

    value: bytes
    host: str
    domain: str
    partition: int
    admitted: bool
    in_relays: bool
    in_candidates: bool
    durable: bool
    state: str
    admitted_on: int | None
    first_seen_ms: int

    @property
    def record(self) -> RelayRecord:
        """The record."""
        return RelayRecord.decode(self.value)


class RelayBook:
    """Entries by URL, with counts by domain and partition.

    Args:
        partitions: the count of the topics that are partitioned by domain.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._entries: dict[str, Entry] = {}
        self._domains: dict[str, dict[str, None]] = {}
        self._admissions: Counter[tuple[str | int, int]] = Counter()
        self._by_domain: dict[str, Candidates] = {}
        self._by_partition: dict[int, Candidates] = {number: Candidates() for number in range(partitions)}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, url: str) -> Entry | None:
        """The entry of a URL."""
        return self._entries.get(url)

    def everything(self) -> Iterator[tuple[str, Entry]]:
        """Every URL with its entry."""
        return iter(self._entries.items())

    def urls_of(self, domain: str) -> list[str]:
        """The URLs of a registrable domain."""
        return list(self._domains.get(domain, ()))

    def domains_within(self, domain: str) -> list[str]:
        """The registrable domains that lie in one, which may be a public suffix."""
        return [each for each in self._domains if each == domain or each.endswith(f".{domain}")]

    def partition_of(self, host: str) -> int:
        """The partition of a host's domain."""
        return domain_partition(host, self._partitions)

    def put(self, record: RelayRecord, host: str, *, admitted: bool) -> Entry:
        """Set the record of a URL; what the topics have is left as it was."""
        url = record.url
        before = self._entries.get(url)
        if before is not None:
            self._uncount(before, url)
        domain = registrable_domain(host)
        on = record.admitted_at_ms // DAY_MS if record.admitted_at_ms is not None and not is_free(record) else None
        entry = self._entries[url] = Entry(
            value=record.encode(),
            host=host,
            domain=domain,
            partition=self.partition_of(host),
            admitted=admitted,
            in_relays=before is not None and before.in_relays,
            in_candidates=before is not None and before.in_candidates,
            durable=False,
            state=intern(record.state),
            admitted_on=on if admitted else None,
            first_seen_ms=record.first_seen_ms or 0,
        )
        self._domains.setdefault(domain, {})[url] = None
        self._count(entry, record)
        return entry

    def remove(self, url: str) -> None:
        """Forget a URL."""
        entry = self._entries.pop(url)
        self._uncount(entry, url)
        urls = self._domains[entry.domain]
        del urls[url]
        if not urls:
            del self._domains[entry.domain]

    def admissions(self, of: str | int, now_ms: int) -> int:
        """How many a cap has let in today, of a registrable domain or of a partition."""
        return self._admissions[of, now_ms // DAY_MS]

    def excess(self, entry: Entry, *, per_domain: int, per_partition: int) -> str | None:
        """Return the candidate that must go beside an entry, or None where there is room for all."""
        of_domain = self._by_domain.get(entry.domain)
        found = of_domain.excess(per_domain) if of_domain is not None else None
        return found or self._by_partition[entry.partition].excess(per_partition)

    def _count(self, entry: Entry, record: RelayRecord) -> None:
        if not entry.admitted:
            placed = rank(record, is_vouched=is_vouched(record))
            self._by_domain.setdefault(entry.domain, Candidates()).put(placed)
            self._by_partition[entry.partition].put(placed)
        elif entry.admitted_on is not None:
            self._admissions[entry.domain, entry.admitted_on] += 1
            self._admissions[entry.partition, entry.admitted_on] += 1

    def _uncount(self, entry: Entry, url: str) -> None:
        if not entry.admitted:
            self._by_partition[entry.partition].discard(url)
            of_domain = self._by_domain[entry.domain]
            of_domain.discard(url)
            if not of_domain:
                del self._by_domain[entry.domain]
        elif entry.admitted_on is not None:
            for of in (entry.domain, entry.partition):
                self._admissions[of, entry.admitted_on] -= 1
                if not self._admissions[of, entry.admitted_on]:
                    del self._admissions[of, entry.admitted_on]
