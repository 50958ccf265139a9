"""The dead letters in `rejections`, `quarantine` and `unwritten`: original bytes, with reason and source as headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from schemas.reasons import Reason

VERSION = 1
"""Of the headers below; readers take this and the one before."""


class Rejection(BaseModel):
    """The headers of a refused or quarantined input.

    Header names are the field names; values are UTF-8 text, and what is not known is left out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: Reason
    stage: str = Field(min_length=1, description="which part refused it: connector, import, validate or sink")
    relay: str | None = Field(None, description="normalised URL of the relay that sent it")
    field: str | None = Field(None, description="the field that is wrong")
    detail: str | None = Field(None, description="a sentence for people")
    source_topic: str | None = None
    source_partition: int | None = Field(None, ge=0)
    source_offset: int | None = Field(None, ge=0)
    seen_at_ms: int | None = Field(None, ge=0, description="when the copy was received, milliseconds since 1970")
    version: int = Field(VERSION, ge=1)

    def to_headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers, in the order of the fields."""
        return [(name, str(value).encode()) for name, value in self if value is not None]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Read Kafka headers.

        Raises:
            ValueError: a header is missing or wrong (pydantic's ValidationError, or a value that is not UTF-8).
        """
        return cls.model_validate({name: value.decode() for name, value in headers})


def headers(rejection: Rejection) -> list[tuple[str, bytes]]:
    """Kafka headers of a rejection."""
    return rejection.to_headers()
