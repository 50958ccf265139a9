"""The `erasures` topic: what must never be stored again; compacted, no tombstones; read before and while consuming.

A record's key is its whole target, so that under compaction no rule overwrites another one:

    <id>                                the event, for any cause: operator, law, or a rule that was applied to it
    <id>:<pubkey>                       the event if `<pubkey>` may delete it (NIP-09; perhaps never seen yet)
    address:<kind>:<pubkey>:<d>:<until> every version of an address up to a time (NIP-09)
    pubkey:<pubkey>:<until>             everything of an author up to a time (operator, law)
    vanish:<pubkey>:<until>             what a request to vanish takes (NIP-62); it spares and takes other events
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from schemas.fingerprint_map import FINGERPRINT_BYTES, FingerprintMap, fingerprint
from schemas.nostr.deletion import address_sha256, recipients
from schemas.nostr.event import Event
from schemas.nostr.facts import address_of
from schemas.nostr.kinds import DELETION_KIND, VANISH_KIND
from schemas.partition import event_partition
from schemas.records.document import Document

UNTIL_END = 2**40
"""As for `created_at`: the archive holds no later dates (`schemas.nostr.judge.CREATED_AT_END`)."""

_HEX_ID = r"\A[0-9a-f]{64}\z"
_ADDRESS = r"(?s)\A(0|[1-9][0-9]{0,4}):[0-9a-f]{64}:.*\z"


class Cause(StrEnum):
    """Who or what asked for an erasure."""

    OPERATOR = "operator"
    DELETION = "deletion"
    EXPIRATION = "expiration"
    VANISH = "vanish"
    LAW = "law"


_CAUSES = tuple(Cause)


class Erasure(Document):
    """One rule: an event, an event of an author, versions of an address, or an author, the latter two up to a time.

    Raises:
        ValueError: the fields name no such target, or the cause cannot have it (pydantic's ValidationError).
    """

    id: str | None = Field(None, pattern=_HEX_ID, description="the erased event")
    address: str | None = Field(None, pattern=_ADDRESS, description="kind:pubkey:d, the kind without leading zeros")
    pubkey: str | None = Field(
        None, pattern=_HEX_ID, description="beside an id: who asked, and must be its author; alone: whose events go"
    )
    until_s: int | None = Field(
        None, ge=0, lt=UNTIL_END, description="events of the address or author up to this created_at, included"
    )
    created_at: int | None = Field(
        None,
        ge=0,
        lt=UNTIL_END,
        description="beside an id alone, where it is known: finds sightings of an event that was never seen",
    )
    cause: Cause = Field(description="who asked for it")
    request: str | None = Field(None, pattern=_HEX_ID, description="the event that asked (kind 5 or 62), if one did")
    erased_at_ms: int = Field(ge=0)

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if self.address is not None:
            causes = {Cause.DELETION}
            fits = self.id is None and self.pubkey is None and self.until_s is not None
        elif self.id is not None:
            causes = set(Cause) if self.pubkey is None else {Cause.DELETION}
            fits = self.until_s is None
        else:
            causes = {Cause.OPERATOR, Cause.VANISH, Cause.LAW}
            fits = self.pubkey is not None and self.until_s is not None
        if not fits:
            raise ValueError("id: the target is an id, an id and a pubkey, or an address or a pubkey with until_s")
        if self.cause not in causes:
            raise ValueError(f"cause: {self.cause} cannot erase such a target")
        return self

    def key(self) -> bytes:
        """The record's key, UTF-8."""
        if self.id is not None:
            return (self.id if self.pubkey is None else f"{self.id}:{self.pubkey}").encode()
        if self.address is not None:
            return f"address:{self.address}:{self.until_s}".encode()
        rule = "vanish" if self.cause is Cause.VANISH else "pubkey"
        return f"{rule}:{self.pubkey}:{self.until_s}".encode()

    def partition(self, partitions: int) -> int:
        """The record's partition, of so many: by the first id or key in its target."""
        first = self.id or self.pubkey or (self.address or "").split(":")[1]
        return event_partition(first, partitions)


class Erasures:
    """All rules, in memory, and the one place that decides what they cover. Order and repetition of `add` are free.

    Of an address and an author only the latest time is kept. A rule takes 29 bytes, because one request may make
    14,000 of them; 5 µs to decode and take in a record.
    """

    def __init__(self) -> None:
        self._ids = FingerprintMap()
        # An id and the key that may delete it, by the fingerprint of both.
        self._pairs = FingerprintMap()
        # Up to when, under an address's hash or an author's key.
        self._addresses = FingerprintMap()
        self._authors = FingerprintMap()
        self._authors_by_law = FingerprintMap()
        self._vanished = FingerprintMap()
        self._until = {
            Cause.DELETION: self._addresses,
            Cause.OPERATOR: self._authors,
            Cause.LAW: self._authors_by_law,
            Cause.VANISH: self._vanished,
        }

    def __len__(self) -> int:
        return len(self._ids) + len(self._pairs) + sum(map(len, self._until.values()))

    def add(self, rule: Erasure) -> None:
        """Take a rule in."""
        rules, target = self._place(rule)
        rules.put(target, _CAUSES.index(rule.cause) if rule.until_s is None else rule.until_s)

    def has(self, rule: Erasure) -> bool:
        """Whether adding a rule would cover nothing more: the same one, or one for longer, is there."""
        rules, target = self._place(rule)
        found = rules.get(target)
        return found is not None and (rule.until_s is None or rule.until_s <= found)

    def covers_id(self, event_id: bytes) -> Cause | None:
        """Return why an id (32 bytes) is erased whatever its event says, or None: the only rules that need no event."""
        found = self._ids.get(event_id[:FINGERPRINT_BYTES])
        return None if found is None else _CAUSES[found]

    def covers(self, event: Event) -> Cause | None:
        """Return why an event is erased, or None. Its id must be right, its signature need not.

        - an id: any event.
        - an author up to a time, by operator or law: everything of the author.
        - an author up to a time, by a request to vanish (NIP-62): everything of the author but such requests, and gift
          wraps to the author.
        - an id of an author, an address up to a time (NIP-09): the author's events but deletions and requests to
          vanish; gift wraps also for the one they are for (NIP-59).
        """
        event_id = bytes.fromhex(event.id)
        if (cause := self.covers_id(event_id)) is not None:
            return cause
        author, at = bytes.fromhex(event.pubkey), event.created_at
        if _reaches(self._authors, author, at):
            return Cause.OPERATOR
        if _reaches(self._authors_by_law, author, at):
            return Cause.LAW
        if event.kind == VANISH_KIND:
            return None
        owners = [author, *recipients(event)]
        for owner in owners:
            if _reaches(self._vanished, owner, at):
                return Cause.VANISH
        if event.kind == DELETION_KIND:
            return None
        if len(self._pairs) and any(self._pairs.get(fingerprint(event_id + owner)) is not None for owner in owners):
            return Cause.DELETION
        address = address_of(event)
        return Cause.DELETION if address and _reaches(self._addresses, address_sha256(address), at) else None

    def _place(self, rule: Erasure) -> tuple[FingerprintMap, bytes]:
        """Where a rule is kept, and under which key."""
        if rule.id is not None:
            if rule.pubkey is None:
                return self._ids, bytes.fromhex(rule.id)[:FINGERPRINT_BYTES]
            return self._pairs, fingerprint(bytes.fromhex(rule.id + rule.pubkey))
        target = address_sha256(rule.address) if rule.address is not None else bytes.fromhex(rule.pubkey or "")
        return self._until[rule.cause], target[:FINGERPRINT_BYTES]


def _reaches(until: FingerprintMap, target: bytes, created_at: int) -> bool:
    until_s = until.get(target[:FINGERPRINT_BYTES])
    return until_s is not None and created_at <= until_s
