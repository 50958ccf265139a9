"""The event as a pydantic model: the rules of `schemas.nostr.event` for interfaces that people use.

For examples, documentation and JSON Schema; a test holds that model and hand-written rules accept and refuse the same.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from schemas.nostr.event import ID_HEX, SIG_HEX, Event

Hex32 = Annotated[StrictStr, Field(pattern=rf"\A[0-9a-f]{{{ID_HEX}}}\z")]
Hex64 = Annotated[StrictStr, Field(pattern=rf"\A[0-9a-f]{{{SIG_HEX}}}\z")]


class EventModel(BaseModel):
    """A Nostr event (NIP-01) by the types of its fields. Unknown members are dropped: no signature covers them."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: Hex32 = Field(description="SHA-256 of the serialised event")
    pubkey: Hex32 = Field(description="x-only public key of the author")
    created_at: StrictInt = Field(description="seconds since 1970, as the author states them")
    kind: Annotated[StrictInt, Field(ge=0)] = Field(description="0 to 65535; larger ones are quarantined")
    tags: list[list[StrictStr]]
    content: StrictStr
    sig: Hex64 = Field(description="BIP-340 signature of the id")

    def to_event(self) -> Event:
        """The event as the services handle it."""
        return Event(**self.model_dump())
