"""The `erasures` topic: what must never be stored again; compacted, never null, read before and while consuming."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.document import Document


class Erasure(Document):
    """One erased event, or all events of an author up to a time (NIP-62).

    The record's key is the id, or `pubkey:` and the key.
    """

    id: str | None = Field(None, pattern=r"\A[0-9a-f]{64}\z", description="the erased event")
    pubkey: str | None = Field(None, pattern=r"\A[0-9a-f]{64}\z", description="the author whose events are erased")
    until_s: int | None = Field(None, description="events of the author up to this created_at, included")
    cause: Literal["operator", "vanish", "law"] = Field(description="who asked for it")
    erased_at_ms: int = Field(ge=0)

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.id is None) == (self.pubkey is None):
            raise ValueError("id: either an id or a pubkey is erased")
        if (self.pubkey is None) != (self.until_s is None):
            raise ValueError("until_s: goes with a pubkey")
        return self

    def key(self) -> bytes:
        """The record's key."""
        return (self.id or f"pubkey:{self.pubkey}").encode()
