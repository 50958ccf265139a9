"""The outputs of a validated bundle, grouped by the partition that its records belong to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from processors.validate.discovery.claims import RelayClaims
from processors.validate.discovery.findings import Finding
from processors.validate.known.seen import Learned
from schemas.nostr.judge import Judgement
from schemas.reasons import Reason
from schemas.records.erasure import Cause, Erasure

Groups = dict[tuple[str, int], list[tuple[str, int]]]
"""Sightings: (relay, seen_at in ms) → pairs of id and `created_at`."""


class Source(NamedTuple):
    """The topic, partition and offset of a bundle."""

    topic: str
    partition: int
    offset: int


class Refused(NamedTuple):
    """One refused or quarantined input: its bytes, why, and where and when it was received, if known."""

    raw: bytes
    reason: Reason
    field: str | None
    detail: str | None
    relay: str | None = None
    seen_at_ms: int | None = None

    @classmethod
    def of(cls, raw: bytes, judgement: Judgement, relay: str | None, seen_at_ms: int | None) -> Self:
        """Make one of a judgement that is not an acceptance."""
        if judgement.reason is None:
            raise ValueError("reason: an accepted judgement has none")
        return cls(raw, judgement.reason, judgement.field, judgement.detail, relay, seen_at_ms)


class NewEvent(NamedTuple):
    """A record for `events`: key, value, and the copy that it was taken from, in case the value is too large."""

    key: bytes
    value: bytes
    raw: bytes
    relay: str | None
    seen_at_ms: int


@dataclass(slots=True, eq=False)
class Records:
    """What goes into one partition of `events` and of `sightings`."""

    events: list[NewEvent] = field(default_factory=list)
    sightings: Groups = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Outcome:
    """Everything that follows from one bundle.

    Attributes:
        lines: received copies.
        duplicates: copies whose bytes were known or came twice in the bundle.
        checked: signatures that were checked.
        by_partition: events and sightings; nearly always one partition, the bundle's own.
        refused: for `rejections`.
        quarantined: for `quarantine`.
        erased: copies that were dropped, by cause; nothing is kept of them.
        erasures: rules that events of the bundle ask for.
        learned: for the seen-set, once all of this is acknowledged.
        known_sightings: sightings that were left out, because they were published before.
        relays: for `relays.found`, of the events that are published.
        claims: for `relays.found` too, of those of monitors.
    """

    lines: int
    duplicates: int
    checked: int
    by_partition: dict[int, Records] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    quarantined: list[Refused] = field(default_factory=list)
    erased: Counter[Cause] = field(default_factory=Counter)
    erasures: list[Erasure] = field(default_factory=list)
    learned: Learned = field(default_factory=Learned)
    known_sightings: int = 0
    relays: list[Finding] = field(default_factory=list)
    claims: list[RelayClaims] = field(default_factory=list)

    def records(self, partition: int) -> Records:
        """The records of a partition, made when first asked for."""
        if (records := self.by_partition.get(partition)) is None:
            records = self.by_partition[partition] = Records()
        return records
