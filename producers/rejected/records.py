"""One record of `rejections`, `quarantine` or `unwritten` (dead letters), its place, and a selection of some."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from schemas.records.rejection import Rejection

TOPICS = ("rejections", "quarantine", "unwritten")
"""Logical names of the topics that hold what was not accepted, or could not be written."""
UNREADABLE = "unreadable"
"""Stands for the reason where the headers are of a newer version, or of something else than this system."""
_PLACE = re.compile(r"(?:.*\.)?(rejections|quarantine|unwritten)/(\d{1,9})/(\d{1,18})")


class Place(NamedTuple):
    """Where a record lies: logical topic, partition and offset, written `rejections/3/17`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a place; the topic may have its prefix.

        Raises:
            ValueError: it is none.
        """
        match = _PLACE.fullmatch(text)
        if match is None:
            raise ValueError("is no place such as rejections/3/17 (topic, partition and offset)")
        return cls(match[1], int(match[2]), int(match[3]))


class RejectedInput(NamedTuple):
    """A record as Kafka has it.

    Attributes:
        place: where it lies.
        time_ms: when it was refused, milliseconds since 1970.
        headers: as they are.
        rejection: what the headers say; None where they cannot be read.
    """

    place: Place
    time_ms: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    rejection: Rejection | None

    @classmethod
    def of(
        cls, place: Place, time_ms: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> Self:
        """Read the headers of a record, if they can be read."""
        try:
            rejection = Rejection.from_headers(headers)
        except ValueError:
            rejection = None
        return cls(place, time_ms, key, value or b"", headers, rejection)

    @property
    def reason(self) -> str:
        """Why it was refused."""
        return self.rejection.reason.value if self.rejection is not None else UNREADABLE

    @property
    def stage(self) -> str:
        """Which part of the system refused it; empty where that is not known."""
        return self.rejection.stage if self.rejection is not None else ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted: every condition that is given must hold.

    Attributes:
        topics: logical names.
        reasons: one of these; empty: any.
        stages: one of these; empty: any.
        relay: normalised URL of the relay that sent it.
        since_ms: refused at this time or later, milliseconds since 1970.
        until_ms: refused before this time.
    """

    topics: tuple[str, ...] = TOPICS
    reasons: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    relay: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def wants(self, item: RejectedInput) -> bool:
        """Whether a record is one of those."""
        return (
            item.place.topic in self.topics
            and (not self.reasons or item.reason in self.reasons)
            and (not self.stages or item.stage in self.stages)
            and (self.relay is None or (item.rejection is not None and item.rejection.relay == self.relay))
            and (self.since_ms is None or item.time_ms >= self.since_ms)
            and (self.until_ms is None or item.time_ms < self.until_ms)
        )
