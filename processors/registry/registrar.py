"""Keeps the registry: takes what is found, wanted and written, and says what is to be written for it.

It does no I/O, and is told the time. It knows all relays, candidates and commands, and writes about the domains of its
own partitions only. A change that is not yet known to be durable is written again by the next news of the same relay,
so that no offset is committed beside a write that may be lost.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from processors.registry.admission import decide
from processors.registry.book import DAY_MS, Entry, RelayBook
from processors.registry.commands import Commands, Wanted, is_url
from processors.registry.duplicates import can_be_primary, primary
from processors.registry.followed import Followed, RegistryTopic
from processors.registry.keys import is_private
from processors.registry.merging import naming, take
from processors.relay_keys import UnusableError, read_key
from schemas.records.relay import RelayRecord
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import registrable_domain
from schemas.relay_urls.relay_url import RelayUrl

_TURN = 200
"""Records that are decided before others have their turn: about 50 ms."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of admission and bounds of candidates.

    Attributes:
        admissions_per_domain: a UTC day, of those that no person and no seed list names.
        admissions_per_partition: the same, of all domains of a partition.
        candidates_per_domain: of one registrable domain.
        candidates_per_partition: of all domains of a partition.
        allow_private: whether relays on private addresses may be found.
    """

    admissions_per_domain: int
    admissions_per_partition: int
    candidates_per_domain: int
    candidates_per_partition: int
    allow_private: bool = False


class Write(NamedTuple):
    """A record to write; without a value it is a tombstone."""

    topic: RegistryTopic
    url: str
    host: str
    value: bytes | None


class Registrar:
    """The registry's state and rules.

    Args:
        partitions: the count of the topics that are partitioned by domain.
        limits: of admission and of candidates.
    """

    def __init__(self, partitions: int, limits: Limits) -> None:
        self._limits = limits
        self._commands = Commands()
        self._urgent: dict[str, None] = {}
        self._due: dict[str, None] = {}
        self._day = -1
        self.owned: frozenset[int] = frozenset()
        self.book = RelayBook(partitions)
        self.followed = Followed(self.book, self.owns, self._hurry)

    @property
    def commands(self) -> int:
        """How many commands are known."""
        return len(self._commands)

    @property
    def has_due(self) -> bool:
        """Whether something waits to be decided."""
        return bool(self._urgent or self._due)

    def owns(self, entry: Entry) -> bool:
        """Whether this process writes about an entry."""
        return entry.partition in self.owned

    def own(self, partitions: Collection[int]) -> None:
        """Write about the domains of these partitions from now on; all of them are decided anew."""
        self.owned = frozenset(partitions)
        self._urgent.clear()
        self._due.clear()
        self._day = -1

    def found(self, found: RelayFound, now_ms: int) -> list[Write]:
        """Take what was found, and decide.

        Raises:
            UnusableError: it says nothing, or nothing that can be used.
        """
        if found.command is not None:
            self.wanted(found.command)
            if not is_url(found.url):
                return []
        relay = self._usable(found)
        entry = self.book.get(relay.url)
        if entry is None and naming(found) is None and found.command is None:
            raise UnusableError("unknown", "a report of a relay that is not known")
        record = self._new(relay, now_ms) if entry is None else entry.record
        self._urgent.pop(relay.url, None)
        return self._settle(relay, take(record, found), now_ms)

    def wanted(self, command: RelayCommand) -> None:
        """Take a command; what it is about is decided next."""
        if self._commands.take(command):
            self._concerns(command.target)

    def unwanted(self, key: bytes) -> None:
        """Take that the command of a key has a tombstone."""
        if (command := self._commands.forget(key)) is not None:
            self._concerns(command.target)

    def due(self, now_ms: int) -> list[Write]:
        """Decide some of what has become due: commands first, then all, after an assignment and on each new day."""
        if self._day != now_ms // DAY_MS:
            self._day = now_ms // DAY_MS
            self._all_due()
        writes: list[Write] = []
        for _ in range(_TURN):
            waiting = self._urgent or self._due
            if not waiting:
                break
            url = next(iter(waiting))
            del waiting[url]
            relay = read_key(url)
            if relay is not None and self.book.partition_of(relay.host) in self.owned:
                entry = self.book.get(url)
                writes += self._settle(relay, self._new(relay, now_ms) if entry is None else entry.record, now_ms)
        return writes

    def _usable(self, found: RelayFound) -> RelayUrl:
        """Return the relay that something is about, which must be spelled as a key is."""
        relay = read_key(found.url)
        if relay is None:
            raise UnusableError("not_normalised", f"the URL has {len(found.url)} characters and is no key")
        if self.book.partition_of(relay.host) not in self.owned:
            raise UnusableError("misplaced", "the partition is not that of its domain")
        if found.command is None and not self._limits.allow_private and is_private(relay.url):
            entry = self.book.get(relay.url)
            if entry is None or not entry.record.allow_private:
                raise UnusableError("private", "the address is not public, and discovery.allow_private is off")
        return relay

    def _new(self, relay: RelayUrl, now_ms: int) -> RelayRecord:
        return RelayRecord(
            url=relay.url,
            network=relay.network,
            source="event",
            allow_private=self._limits.allow_private and is_private(relay.url),
            updated_at_ms=now_ms,
        )

    def _settle(self, relay: RelayUrl, record: RelayRecord, now_ms: int) -> list[Write]:
        """Decide about a record, keep it, and return what is to be written for it."""
        before = self.book.get(relay.url)
        wanted = self._commands.wanted(relay.url, relay.host)
        if not record.sources and wanted == Wanted():
            # A command was taken back, and nothing else is known.
            return [] if before is None else self._dropped(relay.url, before)
        admitted, settled = decide(
            record,
            wanted,
            has_room=self._has_room(relay.host, now_ms),
            duplicate_of=primary(record, self._read),
            now_ms=now_ms,
        )
        old = None if before is None else before.record
        if before is not None and old is not None:
            if old.model_copy(update={"updated_at_ms": now_ms}) == settled:
                settled = old
            if settled == old and before.durable and before.admitted == admitted:
                return self._misplaced(relay.url, before)
            if can_be_primary(old, admitted=before.admitted) != can_be_primary(settled, admitted=admitted):
                self._due |= dict.fromkeys(self.book.urls_of(before.domain))
        entry = self.book.put(settled, relay.host, admitted=admitted)
        return [*self._kept(relay.url, entry), *self._trimmed(entry)]

    def _kept(self, url: str, entry: Entry) -> list[Write]:
        """Write a record, then the tombstone in the other topic: who reads one of both sees the record."""
        if entry.admitted:
            entry.in_relays = True
        elif not entry.in_candidates and url == self._excess(entry):
            return self._dropped(url, entry)  # it is the first to go: nothing is written of it
        else:
            entry.in_candidates = True
        topic: RegistryTopic = "relays" if entry.admitted else "relays.candidates"
        return [Write(topic, url, entry.host, entry.value), *self._misplaced(url, entry)]

    def _misplaced(self, url: str, entry: Entry) -> list[Write]:
        """Take a relay out of the topic where it does not belong."""
        if entry.admitted and entry.in_candidates:
            entry.in_candidates = False
            return [Write("relays.candidates", url, entry.host, None)]
        if not entry.admitted and entry.in_relays:
            entry.in_relays = False
            return [Write("relays", url, entry.host, None)]
        return []

    def _dropped(self, url: str, entry: Entry) -> list[Write]:
        """Forget a relay."""
        self.book.remove(url)
        held: list[tuple[RegistryTopic, bool]] = [
            ("relays", entry.in_relays),
            ("relays.candidates", entry.in_candidates),
        ]
        return [Write(topic, url, entry.host, None) for topic, is_in in held if is_in]

    def _trimmed(self, entry: Entry) -> list[Write]:
        """Drop candidates beyond the bounds."""
        writes: list[Write] = []
        while (url := self._excess(entry)) is not None and (gone := self.book.get(url)) is not None:
            writes += self._dropped(url, gone)
        return writes

    def _excess(self, entry: Entry) -> str | None:
        limits = self._limits
        return self.book.excess(
            entry, per_domain=limits.candidates_per_domain, per_partition=limits.candidates_per_partition
        )

    def _has_room(self, host: str, now_ms: int) -> bool:
        of_domain = self.book.admissions(registrable_domain(host), now_ms)
        of_partition = self.book.admissions(self.book.partition_of(host), now_ms)
        return of_domain < self._limits.admissions_per_domain and of_partition < self._limits.admissions_per_partition

    def _read(self, url: str) -> RelayRecord | None:
        entry = self.book.get(url)
        if entry is None or not entry.admitted:
            return None
        record = entry.record
        return record if can_be_primary(record, admitted=True) else None

    def _hurry(self, url: str) -> None:
        self._urgent[url] = None

    def _concerns(self, target: str) -> None:
        """Have all relays that a command is about decided next."""
        if not self.owned:
            return
        if is_url(target):
            self._hurry(target)
            return
        for domain in self.book.domains_within(registrable_domain(target)):
            self._urgent |= dict.fromkeys(self.book.urls_of(domain))

    def _all_due(self) -> None:
        self._urgent |= {target: None for target in self._commands.targets() if is_url(target)}
        mine = [(entry.first_seen_ms, url) for url, entry in self.book.everything() if self.owns(entry)]
        # The oldest first, so that the caps let in the same ones after every restart.
        self._due = dict.fromkeys(url for _, url in sorted(mine))
