"""Keeps the health of relays: takes probes and what is known beside them, and says what is to be written.

It does no I/O, and is told the time. It holds the relays of the partitions that it follows, and writes about those that
it owns. A change that is not yet known to be durable is written again by the next probe of the relay, new or not, so
that no offset is committed beside a write that may be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from processors.assess.beside import Beside, Met
from processors.assess.book import Entry, HealthBook, entry_of
from processors.assess.documents import Documents
from processors.assess.duplicates import primary
from processors.assess.health import fold, is_news, new
from processors.assess.promise import as_of
from processors.assess.writes import Write, report, written
from processors.relay_keys import UnusableError, read_key
from schemas.partition import relay_partition
from schemas.records.probe import ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import Claim, RelayHealth
from schemas.relay_urls.relay_url import RelayUrl

_TURN = 25
"""Records that are decided before others have their turn: about 50 ms."""
_LOOK_MS = 10_000
"""Between two looks for relays of which no probe came; a look at 10,000 takes a millisecond."""
_FIRST_LOOK_MS = 60_000
"""After an assignment: probes that waited are folded first. 10,000 take 40 s; each would be called unknown before."""
_CLAIMS_WAIT_MS = 3_600_000
"""Claims of a relay that is not probed are written after this time; monitors repeat them as often."""


class Assessor:
    """The state and rules of the assess agent.

    Args:
        partitions: the count of the topics that are partitioned by relay host.
        documents: the limits of information documents.
    """

    def __init__(self, partitions: int, documents: Documents) -> None:
        self._partitions = partitions
        self._documents = documents
        self._beside = Beside(documents)
        self._kept: frozenset[int] = frozenset()
        self._unseen: set[str] = set()
        self._ready: dict[str, None] = {}
        self._later: dict[str, int] = {}
        self._looks_at_ms: int | None = None
        self.owned: frozenset[int] = frozenset()
        self.book = HealthBook()

    @property
    def has_ready(self) -> bool:
        """Whether something is due at once."""
        return bool(self._ready)

    def own(self, partitions: Collection[int]) -> None:
        """Write about the relays of these partitions from now on."""
        self.owned = frozenset(partitions)
        self._looks_at_ms = None

    def keep(self, partitions: Collection[int]) -> None:
        """Hold the relays of these partitions from now on, and forget all others."""
        self._kept = frozenset(partitions)
        self.book.keep(self._kept)
        self._beside.keep(self._kept)
        for url in [url for url in (*self._unseen, *self._later) if self.book.get(url) is None]:
            self._settled(url)
            self._unseen.discard(url)
            self._beside.forget(url)

    def probed(self, probe: ProbeRecord) -> list[Write]:
        """Take a probe, and say what follows.

        Raises:
            UnusableError: its URL is no key, or lies in a partition of others.
        """
        relay = read_key(probe.url)
        if relay is None:
            raise UnusableError("not_normalised", f"the URL has {len(probe.url)} characters and is no key")
        partition = relay_partition(relay.host, self._partitions)
        if partition not in self.owned:
            raise UnusableError("misplaced", "the partition is not that of its host")
        entry = self.book.get(relay.url)
        before = new(probe) if entry is None else entry.health
        if entry is not None and not is_news(before, probe):
            again = [written(relay.url, entry)] if relay.url in self._unseen else []
            return [*again, report(relay, before)] if before.probed_at_ms == probe.probed_at_ms else again
        health = self._beside.added(fold(self._beside.with_claims(before), probe), before.document, partition)
        health = health.model_copy(update={"duplicate_of": self._primary(relay, health)})
        writes = [self._put(relay.url, health, relay.host, partition)]
        return writes if health.duplicate_of == before.duplicate_of else [*writes, report(relay, health)]

    def claimed(self, url: str, claims: Iterable[Claim], now_ms: int) -> None:
        """Take what monitors say of a relay; of one that was never probed it is dropped, for anyone may name any."""
        entry = self.book.get(url)
        if entry is not None and entry.partition in self.owned:
            self._beside.claimed(url, claims, now_ms // 1000)
            self._later.setdefault(url, now_ms + _CLAIMS_WAIT_MS)

    def met(self, partition: int, url: str, met: Met | None) -> None:
        """Take the newest that connectors say of a relay. Limits are written at once, the rest with the next probe."""
        if partition in self._kept and self._beside.met(partition, url, met):
            self._hurry(url)

    def documented(self, record: RelayDocumentRecord) -> None:
        """Take an information document."""
        if self._documents.take(record):
            for url, _ in self.book.with_document(bytes.fromhex(record.hash)):
                self._hurry(url)

    def heard(self, url: str, theirs: Entry | None) -> None:
        """Take what the topic has of a relay: the state at the start, our own writes, those of a late predecessor."""
        if theirs is None:
            if url not in self._unseen:
                self.book.remove(url)
        elif theirs.partition in self._kept:
            mine = self.book.get(url)
            if mine is None or self._outdoes(url, theirs, mine):
                self.book.put(url, theirs)
                self._unseen.discard(url)
            elif url not in self._unseen and mine.partition in self.owned:
                self._unseen.add(url)
                self._ready[url] = None

    def due(self, now_ms: int) -> list[Write]:
        """Write some of what is due: relays of which no probe came, limits that are news, and claims that waited."""
        if self._looks_at_ms is None:
            self._looks_at_ms = now_ms + _FIRST_LOOK_MS
        if now_ms >= self._looks_at_ms:
            self._looks_at_ms = now_ms + _LOOK_MS
            for url, each in self.book.everything():
                if each.lapses_at_ms is not None and each.lapses_at_ms <= now_ms:
                    self._ready[url] = None
            self._ready |= {url: None for url, at_ms in self._later.items() if at_ms <= now_ms}
        writes: list[Write] = []
        for url in list(self._ready)[:_TURN]:
            entry = self.book.get(url)
            if entry is None or entry.partition not in self.owned:
                self._settled(url)
                self._beside.forget(url)
                continue
            before = entry.health
            after = self._beside.added(self._beside.with_claims(before), before.document, entry.partition)
            after = as_of(after, max(now_ms, before.judged_at_ms))  # never back, where clocks differ
            if after != before or url in self._unseen:
                writes.append(self._put(url, after, entry.host, entry.partition))
            else:
                self._settled(url)
        return writes

    def _outdoes(self, url: str, theirs: Entry, mine: Entry) -> bool:
        """Whether what the topic has replaces what is held: the newest probe wins, and of one probe our own write."""
        if theirs.probed_at_ms != mine.probed_at_ms:
            return theirs.probed_at_ms > mine.probed_at_ms
        return theirs.packed == mine.packed or not (url in self._unseen or mine.partition in self.owned)

    def _primary(self, relay: RelayUrl, health: RelayHealth) -> str | None:
        if health.document is None or health.state != "online":
            return None
        alike = self.book.with_document(bytes.fromhex(health.document))
        return primary(relay.url, [url for url, entry in alike if entry.host == relay.host and entry.state == "online"])

    def _put(self, url: str, health: RelayHealth, host: str, partition: int) -> Write:
        entry = entry_of(health, health.encode(), host, partition)
        self.book.put(url, entry)
        self._unseen.add(url)
        self._settled(url)
        return written(url, entry)

    def _hurry(self, url: str) -> None:
        if self.book.get(url) is not None:
            self._ready[url] = None

    def _settled(self, url: str) -> None:
        self._ready.pop(url, None)
        self._later.pop(url, None)
