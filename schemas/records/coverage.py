"""The `coverage` topic: per relay and filter, which seconds were read completely; compacted, key = normalised URL."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from schemas.records.document import Document

VERSION = 2
"""Of the record below; readers take this and the one before."""

Second = Annotated[int, Field(strict=True)]
ReadRange = tuple[Second, Second, Second]
"""[since, until, read_at]: seconds, both bounds included, and when that was read."""


class GapReason(StrEnum):
    """Why seconds were not read completely. The values are stored in the topic and the archive: never rename one."""

    NO_EOSE = "no_eose"
    """The relay fell silent before it said that it had sent everything."""
    CLOSED = "closed"
    """It closed the query in the middle, or went on refusing it for no reason that it named."""
    RATE_LIMITED = "rate_limited"
    AUTH_REQUIRED = "auth_required"
    RESTRICTED = "restricted"
    DENSE_SECOND = "dense_second"
    """More events in one second than a page holds, and no other question separated them."""
    DISAGREEMENT = "disagreement"
    """Two answers of the relay contradict each other: one hides what the other shows."""
    FILTER_IGNORED = "filter_ignored"
    """It sent events that were not asked for, so that an empty answer proves nothing."""
    WITHHELD = "withheld"
    """It said that there is more and gave nothing: NIP-67's `more`, or ids named in a comparison (NIP-77)."""
    FRAME_TOO_LARGE = "frame_too_large"
    BY_KINDS = "by_kinds"
    """It refuses the filter as it is and was read by lists of kinds, which do not name all 65,536 of them."""
    JOINED = "joined"
    """Stands for several gaps, and what lies between them: their number is bounded."""
    UNSTATED = "unstated"
    """A reason of an earlier version that has no name here."""


class Gap(Document):
    """Seconds (both included) that are known not to have been read completely, and why."""

    since: Second
    until: Second
    reason: GapReason
    tries: int = Field(1, ge=1, description="how often they were asked for in vain")
    retry_at_s: Second | None = Field(None, description="not asked for again before this second; None: at once")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until < self.since:
            raise ValueError("until: lies before since")
        return self


MOST_FACTS = 24
"""Of a relay: those that are known, and what a newer version may add. Its row is written again with each record."""
LONGEST_EVIDENCE = 120
"""Characters of a relay's words, so that all facts together are about 1 kB of a record."""


class Fact(Document):
    """Something that was learnt of how a relay wants to be asked, which makes reading it slower or more careful."""

    name: str = Field(
        min_length=1, description="one of producers.connector.relay_model.Name; unknown ones are left alone"
    )
    value: int | float | str
    evidence: str = Field(description="what the relay said or did, shortened")
    at_s: Second = Field(description="when that was; the ordinary way is tried again some days later")


class Copies(Document):
    """What a relay has sent of events, by crawl and live feed, over all of its connections and of connectors.

    A copy counts as repeated if the same relay had sent it before, byte for byte, as far as the connector remembers:
    the last 200,000 copies of all relays at least, none of before its start. What is forgotten counts as new again.
    """

    received: int = Field(0, ge=0, strict=True, description="copies that fitted what had been asked")
    repeated: int = Field(0, ge=0, strict=True, description="those of them that it had sent before")
    forged: int = Field(
        0, ge=0, strict=True, description="those that connectors checked, a sample, and whose id or signature was wrong"
    )

    @model_validator(mode="after")
    def _of_them(self) -> Self:
        if self.repeated > self.received:
            raise ValueError("repeated: is more than received")
        return self

    @property
    def overhead(self) -> float | None:
        """Copies received for each that was not repeated: 1.0 if none was; None where none came."""
        first = self.received - self.repeated
        return self.received / first if first else None


class FilterCoverage(Document):
    """What has been read from one relay with one filter, as one identity."""

    filter: str = Field(description="hash of the filter (schemas.nostr.filters.Filter.filter_hash)")
    wire: dict[str, Any] = Field(
        default_factory=dict, description="the filter as it is sent, for people; empty where it is long or not known"
    )
    identity: str | None = Field(
        None, pattern=r"\A[0-9a-f]{64}\z", description="public key that had answered AUTH (NIP-42); None: no AUTH"
    )
    read: list[ReadRange] = Field(default_factory=list, description="sorted, no second twice")
    gaps: list[Gap] = Field(default_factory=list)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for since, until, _ in self.read:
            if until < since:
                raise ValueError("read: a range ends before it begins")
        return self


class Coverage(Document):
    """What has been read from one relay.

    Sets of filters that are no longer configured stay for a while: if one is configured again, what was read is known.
    """

    version: int = Field(VERSION, ge=1, le=VERSION)
    relay: str = Field(min_length=1, description="normalised URL")
    cursor_s: Second | None = Field(None, description="time of the last frame or pong that was durable, seconds")
    sets: list[FilterCoverage] = Field(default_factory=list, description="the most recently used first")
    facts: list[Fact] = Field(default_factory=list, description="how the relay wants to be asked")
    copies: Copies = Field(default_factory=Copies, description="what it has sent, and what of it again")
    updated_at_ms: int = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, record: Any) -> Any:
        if isinstance(record, dict) and record.get("version") == 1:
            return _upgraded(record)
        return record


def _upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """A record of version 1, which told of all filters together, by their hashes joined with `+`."""
    known = {reason.value for reason in GapReason}
    gaps = [
        {**gap, "reason": gap.get("reason") if gap.get("reason") in known else GapReason.UNSTATED}
        for gap in record.get("gaps", [])
    ]
    names = str(record.get("filter", "")).split("+")
    sets = [{"filter": name, "read": record.get("read", []), "gaps": gaps} for name in names]
    return {**record, "version": VERSION, "sets": sets}
