"""The `coverage` topic: per relay and filter, which seconds were read completely; compacted, key = normalised URL."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.document import Document

VERSION = 1
"""Of the record below; readers take this and the one before."""

Second = Annotated[int, Field(strict=True)]


class Gap(Document):
    """Seconds (both included) that are known not to have been read completely, and why."""

    since: Second
    until: Second
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until < self.since:
            raise ValueError("until: lies before since")
        return self


class Coverage(Document):
    """What has been read from one relay with one filter."""

    version: int = Field(VERSION, ge=1)
    relay: str = Field(min_length=1, description="normalised URL")
    filter: str = Field(description="hash of the filter (schemas.filters.Filter.filter_hash)")
    cursor_s: int | None = Field(None, description="time of the last frame or pong that was durable, seconds")
    read: list[tuple[Second, Second, Second]] = Field(
        default_factory=list, description="[since, until, read_at], seconds, both bounds included"
    )
    gaps: list[Gap] = Field(default_factory=list)
    updated_at_ms: int = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for since, until, _ in self.read:
            if until < since:
                raise ValueError("read: a range ends before it begins")
        return self
