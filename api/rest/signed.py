"""Events in answers: written as they were signed, not by way of a model."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from schemas.nostr.event import ID_HEX, SIG_HEX, Event, encode_event

_Hex = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{ID_HEX}}}$")]


class NostrEvent(BaseModel):
    """An event as its author signed it (NIP-01)."""

    id: _Hex = Field(description="SHA-256 of the serialised event")
    pubkey: _Hex = Field(description="Public key of the author")
    created_at: int = Field(description="Unix seconds, as the author states them")
    kind: int = Field(ge=0, le=65_535)
    tags: list[list[str]]
    content: str
    sig: str = Field(pattern=rf"^[0-9a-f]{{{SIG_HEX}}}$", description="BIP-340 signature of the id")


class _AsSigned:
    """Validates by type alone, and serialises to text that `orjson` takes over as it is."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(
            json_schema=handler.generate_schema(NostrEvent),
            python_schema=core_schema.is_instance_schema(Event),
            serialization=core_schema.plain_serializer_function_ser_schema(_fragment),
        )


def _fragment(event: Event) -> orjson.Fragment:
    return orjson.Fragment(encode_event(event))


PAGE_BYTES = 4 * 1024 * 1024
"""Texts of the events of a page, which ends early beyond. Encoding and hashing them takes tens of milliseconds,
for which all other requests wait."""
SignedEvent = Annotated[Event, _AsSigned]
"""The type of an event in an answer."""
