"""An event as a row of the table `events`, and back: what is stored is what was signed.

PostgreSQL refuses U+0000 in text and jsonb. An event that holds it keeps its exact bytes in the column `raw`; every
other one is rebuilt from its columns. Which serialization the id fits is kept too (`schemas.event_id.IdForm`), so that
the id of any row can be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import Any, NamedTuple

import orjson

from schemas.event import Event, parse_event

_INT64 = Struct(">q").unpack_from
# Tags that many events of a batch share (a thread's root, a popular key) are hashed once. 16,384 names and values of
# at most 128 characters are under 5 MB.
_CACHED_HASHES = 16_384
_CACHED_LENGTH = 128


class EventRow(NamedTuple):
    """One row of `events`, columns in the order in which they are copied.

    `created_at` (Unix seconds) and `id` come first: rows sort by the key of the table as they are.
    """

    created_at: int
    id: bytes
    id_prefix: int
    pubkey_prefix: int
    kind: int
    id_form: int
    pubkey: bytes
    sig: bytes
    tag_hashes: list[int]
    tags: str | None
    content: str | None
    raw: bytes | None


EVENT_COLUMNS = EventRow._fields


def key_prefix(key: bytes) -> int:
    """The first 8 bytes of an id or a public key as a signed 64-bit number, as the SQL function of that name has it."""
    prefix: int = _INT64(key)[0]
    return prefix


def tag_hash(name: str, value: str) -> int:
    """The number that a tag is indexed by: the first 8 bytes of sha256(`name:value`), as the SQL function has it."""
    prefix: int = _INT64(sha256(f"{name}:{value}".encode()).digest())[0]
    return prefix


_cached_tag_hash = lru_cache(maxsize=_CACHED_HASHES)(tag_hash)


def tag_hashes(tags: Sequence[Sequence[str]]) -> list[int]:
    """The distinct hashes of the first value of each tag whose name is one ASCII letter (NIP-01's indexed tags)."""
    hashes: dict[int, None] = {}
    for tag in tags:
        if len(tag) > 1 and len(name := tag[0]) == 1 and name.isascii() and name.isalpha():
            value = tag[1]
            hashes[_cached_tag_hash(name, value) if len(value) <= _CACHED_LENGTH else tag_hash(name, value)] = None
    return list(hashes)


def event_row(event: Event, raw: bytes, id_form: int) -> EventRow:
    """The row of a verified event; `raw` is its text as received, kept only where the columns cannot hold the event.

    Raises ValueError where a string is not Unicode text (lone surrogates), which belongs into quarantine.
    """
    event_id = bytes.fromhex(event.id)
    pubkey = bytes.fromhex(event.pubkey)
    try:
        tags = orjson.dumps(event.tags).decode()
    except TypeError as error:
        raise ValueError(f"tags: {error}") from error
    has_nul = "\0" in event.content or ("\\u0000" in tags and _nul_in(event.tags))
    return EventRow(
        event.created_at,
        event_id,
        key_prefix(event_id),
        key_prefix(pubkey),
        event.kind,
        id_form,
        pubkey,
        bytes.fromhex(event.sig),
        tag_hashes(event.tags),
        None if has_nul else tags,
        None if has_nul else event.content,
        raw if has_nul else None,
    )


def event_from_row(row: Sequence[Any]) -> Event:
    """The event of a row whose values stand in the order of `EVENT_COLUMNS`.

    Raises `schemas.event.EventError` (a ValueError) where `raw` is not an event.
    """
    stored = EventRow(*row)
    if stored.raw is not None:
        return parse_event(stored.raw)
    return Event(
        stored.id.hex(),
        stored.pubkey.hex(),
        stored.created_at,
        stored.kind,
        orjson.loads(stored.tags or ""),
        stored.content or "",
        stored.sig.hex(),
    )


def _nul_in(tags: Sequence[Sequence[str]]) -> bool:
    return any("\0" in item for tag in tags for item in tag)
