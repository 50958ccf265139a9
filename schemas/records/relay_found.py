"""The `relays.found` topic: what was met of a relay URL: who names it, what people want, what connectors saw."""

from __future__ import annotations

from pydantic import Field

from schemas.records.document import Document
from schemas.records.relay import MOST_AUTHORS, MOST_PLACES, AuthorHash, Report, SameDocument, Source
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_health import MOST_MONITORS, Claim


class RelayFound(Document):
    """News of one relay, or of a host: one record may stand for many occurrences."""

    url: str = Field(min_length=1, description="normalised URL, as in the key; the target of a command")
    spelling: str | None = Field(None, description="the text as it was met first; null: like url")
    source: Source | None = Field(None, description="who names it; null: a report, which names nothing")
    places: tuple[str, ...] = Field((), max_length=MOST_PLACES, description="such as `10002 r` or the name of a list")
    authors: tuple[AuthorHash, ...] = Field((), max_length=MOST_AUTHORS, description="of the events, lowest hashes")
    first_seen_ms: int = Field(ge=0, description="of the earliest occurrence")
    command: RelayCommand | None = None
    report: Report | None = Field(None, description="a change of state that a connector met")
    same_document: SameDocument | None = Field(None, description="a change that probes met")
    claims: tuple[Claim, ...] = Field(
        (), max_length=MOST_MONITORS, description="of monitors (NIP-66); alone in a record, which lies by relay host"
    )
