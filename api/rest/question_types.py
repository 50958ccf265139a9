"""Types of the fields of questions: they read the text of a parameter, and describe it in the OpenAPI document."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from core.archive.event_query import BIGINT_MAX
from schemas.nostr.address import Address
from schemas.nostr.filter_wire import MAX_KIND
from schemas.nostr.nip19 import Wanted, hex_of, read_address

_DIGITS = re.compile(r"[0-9]{1,19}")
"""As many as the largest bigint has."""
_HEX = "0123456789abcdef" * 4


def _whole(value: Any) -> Any:
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        raise ValueError("it must be an integer from 0, in decimal digits")
    return value


def _key(wanted: Wanted) -> AfterValidator:
    return AfterValidator(partial(hex_of, wanted=wanted))


Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=BIGINT_MAX)]
"""An integer from 0."""
UnixSeconds = Annotated[Whole, Field(description="Unix seconds", examples=[1700000000])]
Kind = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=MAX_KIND, examples=[1])]
EventId = Annotated[
    str,
    Field(description="An event id: 64 lower-case hex digits, note1… or nevent1…", examples=[_HEX]),
    _key(Wanted.EVENT_ID),
]
"""Becomes hex."""
PublicKey = Annotated[
    str,
    Field(description="A public key: 64 lower-case hex digits, npub1… or nprofile1…", examples=[_HEX]),
    _key(Wanted.PUBLIC_KEY),
]
"""Becomes hex."""
AddressText = Annotated[
    Address,
    PlainValidator(read_address),
    WithJsonSchema({"type": "string"}),
    Field(
        description="An address: kind:pubkey:d, percent-encoded, of replaceable kinds without a d; or naddr1…",
        examples=[f"30023:{_HEX}:a-title"],
    ),
]
Cursor = Annotated[str, Field(description="`next` of the page before, as it was given", max_length=2000)]
PageSize = Annotated[int, BeforeValidator(_whole), Field(ge=1, description="Entries of a page, at most")]
