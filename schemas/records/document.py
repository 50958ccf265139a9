"""The base of every record that is one JSON document: relays, coverage and the like, a few a second at most."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A record's value as JSON. Unknown members are ignored, so that newer writers may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encode(self) -> bytes:
        """The record's value."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read a record's value.

        Raises:
            ValueError: names the member that is wrong (pydantic's ValidationError).
        """
        return cls.model_validate_json(value)
