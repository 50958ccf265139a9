"""A row of the table `events`, and the signed event that it is converted back to.

PostgreSQL refuses U+0000 in text and jsonb. An event that holds it keeps its exact bytes in the column `raw`; every
other one is rebuilt from its columns. Which serialization the id fits is kept too (`schemas.nostr.event_id.IdForm`), so
that the id of any row can be computed again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson

from schemas.nostr.event import Event, parse_event
from schemas.nostr.tag_memory import tags_bytes

logger = logging.getLogger(__name__)


class DamagedRowError(ValueError):
    """A row does not give back what was signed, or a sighting its relay; the message states what is wrong."""


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
COLUMN_LIST = ", ".join(EVENT_COLUMNS)
"""The same as SQL."""


CHUNK_ROWS = 64
"""Rows of events that are read at once: so many mebibytes at most."""


def memory_bytes(row: EventRow) -> int:
    """What an event takes in memory, rather too much than too little; quick for one of 100,000 tags too."""
    if row.raw is not None:
        return len(row.raw) + tags_bytes(row.raw.count(b"["), row.raw.count(b'"') // 2)
    tags = row.tags or ""
    return len(tags) + len(row.content or "") + tags_bytes(tags.count("["), tags.count('"') // 2)


def row_of(record: Iterable[Any]) -> EventRow:
    """The row with which a longer one begins."""
    return EventRow(*islice(record, len(EVENT_COLUMNS)))


def event_from_row(row: Sequence[Any]) -> Event:
    """The event of a row whose values stand in the order of `EVENT_COLUMNS`.

    Raises `schemas.nostr.event.EventError` (a ValueError) where `raw` is not an event.
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


def readable_event(row: Sequence[Any]) -> Event | None:
    """The event of a row as `event_from_row` gives it; None, with a warning, where its row is damaged.

    For those who read beside the pipeline: `bigbrotr audit` finds such rows, and no reader can mend them.
    """
    try:
        return event_from_row(row)
    except ValueError as error:
        logger.warning("%s is left out, its row is no event: %s", EventRow(*row).id.hex(), error)
        return None
