"""Options and report of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sinks.integrity.audit_counts import Miscount
from sinks.integrity.audit_documents import WrongDocument
from sinks.integrity.audit_registry import WrongRelay
from sinks.integrity.audit_row import Wrong
from sinks.integrity.sample import Sample

# More damage than this is a broken archive, and a list of all its rows would be of no use.
NAMED = 1000


class Finding(NamedTuple):
    """A row that was altered.

    Attributes:
        table: `events`, `sightings`, or one of what follows from events; then `id` is that of the event.
        month: the partition that it lies in, as `2026-11`.
        id: 64 hex digits.
        columns: the altered one; several: one of these at least, and no more can be told.
        detail: what does not fit.
    """

    table: str
    month: str
    id: str
    columns: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What to audit: times (Unix seconds, both included) and, if not all rows in them, which sample."""

    since_s: int | None = None
    until_s: int | None = None
    sample: Sample | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every row is audited."""
        return (self.since_s, self.until_s, self.sample) == (None, None, None)


@dataclass(slots=True)
class AuditReport:
    """What an audit found.

    Attributes:
        expected: about how many events are to be checked.
        events: how many were.
        sightings: rows of sightings that were checked.
        orphans: of those, how many are of events that are not in the archive; None for a sample. No damage: sightings
            travel apart from events, and an event may be refused, not have come yet, or be known by its id alone.
        altered: rows with something wrong.
        findings: the first `NAMED` things that are wrong.
        miscounts: months of which the counts say another number than the rows give; looked for if all is audited.
        relays: the first `NAMED` rows of registry and health that do not fit their URL; looked for if all is audited.
        documents: the first `NAMED` information documents whose members are not those of their text; likewise.
        seconds: how long it took.
    """

    expected: int = 0
    events: int = 0
    sightings: int = 0
    orphans: int | None = 0
    altered: int = 0
    findings: list[Finding] = field(default_factory=list)
    miscounts: list[Miscount] = field(default_factory=list)
    relays: list[WrongRelay] = field(default_factory=list)
    documents: list[WrongDocument] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, table: str, month: str, event_id: bytes, wrongs: Sequence[Wrong]) -> None:
        """Count an altered row and, while there are not too many, name what is wrong with it."""
        self.altered += 1
        for wrong in wrongs[: NAMED - len(self.findings)]:
            self.findings.append(Finding(table, month, event_id.hex(), wrong.columns, wrong.detail))

    def refine(self, event_id: str, wrong: Wrong) -> None:
        """Narrow down which column was altered, where `created_at` was one of several that it could be."""
        for place, finding in enumerate(self.findings):
            if finding.id == event_id and "created_at" in finding.columns:
                self.findings[place] = finding._replace(columns=wrong.columns, detail=wrong.detail)
