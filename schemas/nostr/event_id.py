r"""The id of an event: SHA-256 over the serialisation of NIP-01.

The serialisation is the UTF-8 text of `[0,pubkey,created_at,kind,tags,content]` without white space. Control
characters without a short escape are written as `\u00xx` in lower case: NIP-01 says verbatim, which would not be JSON,
and no implementation does so.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

import orjson

from schemas.json_text.canonical import canonical, canonical_string, last_member
from schemas.json_text.exact import dumps_exactly
from schemas.nostr.event import Event


class IdForm(IntEnum):
    """Which serialisation an id was computed over."""

    NIP01 = 0
    DEL = 1
    r"""U+007F written as `\u007f`, as strfry's JSON library does. Found in the wild, only for events with U+007F."""


class Preimage(NamedTuple):
    """The bytes whose SHA-256 is an id, and whether every JSON library can write them.

    `portable` is False for lone surrogates and for integers beyond 64 bits.
    """

    data: bytes
    portable: bool


def serialize(event: Event) -> bytes:
    """The bytes whose SHA-256 is the id of the event (NIP-01)."""
    return inspect_preimage(event).data


def inspect_preimage(event: Event) -> Preimage:
    """As `serialize`, and whether the bytes are portable."""
    preimage = [0, event.pubkey, event.created_at, event.kind, event.tags, event.content]
    try:
        return Preimage(orjson.dumps(preimage), portable=True)
    except TypeError:
        return Preimage(dumps_exactly(preimage), portable=False)


def serialize_odd(raw: bytes, event: Event) -> bytes:
    """As `serialize` for an event of which tags hold something else than text (`schemas.nostr.event.OddTagsError`).

    Args:
        raw: its wire text, from which the tags are taken: null, truth values, arrays and objects as every JSON library
            writes them, numbers as they stand there.
        event: its other fields.
    """
    head = b'[0,"%b",%d,%d,' % (event.pubkey.encode(), event.created_at, event.kind)
    return b"%b%b,%b]" % (head, canonical(last_member(raw, "tags")), canonical_string(event.content))


def compute_id(event: Event) -> str:
    """The id that the event should have, as 64 hex digits."""
    return sha256(serialize(event)).hexdigest()


def id_form(event: Event) -> IdForm | None:
    """Which serialisation the id of the event fits, or None if it fits none: then the id is not of this event."""
    return form_of(serialize(event), event.id)


def form_of(data: bytes, id_hex: str) -> IdForm | None:
    """As `id_form`, from the serialised event."""
    if sha256(data).hexdigest() == id_hex:
        return IdForm.NIP01
    # The byte 0x7f occurs in UTF-8 only as the character itself.
    if b"\x7f" in data and sha256(data.replace(b"\x7f", rb"\u007f")).hexdigest() == id_hex:
        return IdForm.DEL
    return None
