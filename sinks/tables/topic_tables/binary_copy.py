"""Rows in PostgreSQL's binary COPY format, packed here: asyncpg's encoder takes twice as long, most of it for arrays.

The format (PostgreSQL's manual, COPY, "Binary Format"): a header, for each row the number of its fields and for each
field its length in bytes and its value, numbers big-endian, and a trailer. An array is the number of its dimensions, a
flag for nulls, the type of its elements, the length of the dimension and its lower bound, and then fields.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import TypeAlias

from core.archive.connection import Connection
from core.archive.rows import EVENT_COLUMNS, EventRow

SightingRow: TypeAlias = "tuple[int, bytes, list[int], list[int]]"
"""Columns in the order of the table `sightings`, which is also that in which they are packed."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
# Few messages, and little memory beside the batch itself.
_CHUNK_BYTES = 256 * 1024
_INT8_OID, _INT4_OID = 20, 23
_ARRAY_HEAD_BYTES, _INT8_ITEM_BYTES, _INT4_ITEM_BYTES = 20, 12, 8

_EVENT_HEAD = Struct(">hiqi32siqiqiiihi32si64s").pack
_LENGTH = Struct(">i").pack
_JSONB_VERSION = b"\x01"
_EMPTY_ARRAY = Struct(">iiii").pack(12, 0, 0, _INT8_OID)
# A list of contacts has hundreds of tags, nearly every other event few, and an event few relays in one batch.
_LENGTHS_KEPT = 256


async def copy_events(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Copy rows into the temporary table `batch_events`. Raises struct.error where a number does not fit its column."""
    await _copy(connection, "batch_events", EVENT_COLUMNS, map(_pack_event, rows))


async def copy_sightings(connection: Connection, rows: Sequence[SightingRow]) -> None:
    """Copy rows into the temporary table `batch_sightings`. Raises struct.error as `copy_events` does."""
    columns = ("created_at", "id", "relay_ids", "seen_ats_ms")
    await _copy(connection, "batch_sightings", columns, map(_pack_sighting, rows))


async def _copy(connection: Connection, table: str, columns: Sequence[str], packed: Iterable[bytes]) -> None:
    await connection.copy_to_table(table, source=_chunks(packed), columns=columns, format="binary")


async def _chunks(packed: Iterable[bytes]) -> AsyncIterator[bytes]:
    parts = [_HEADER]
    size_bytes = 0
    for row in packed:
        parts.append(row)
        size_bytes += len(row)
        if size_bytes >= _CHUNK_BYTES:
            yield b"".join(parts)
            parts.clear()
            size_bytes = 0
    parts.append(_TRAILER)
    yield b"".join(parts)


def _pack_event(row: EventRow) -> bytes:
    created_at, event_id, id_prefix, pubkey_prefix, kind, id_form, pubkey, sig, hashes, tags, content, raw = row
    return b"".join(
        (
            _EVENT_HEAD(
                len(EVENT_COLUMNS), 8, created_at, 32, event_id, 8, id_prefix, 8, pubkey_prefix, 4, kind, 2, id_form,
                32, pubkey, 64, sig,
            ),
            _pack_hashes(hashes),
            _field(None if tags is None else _JSONB_VERSION + tags.encode()),
            _field(None if content is None else content.encode()),
            _field(raw),
        )
    )  # fmt: skip


def _pack_sighting(row: SightingRow) -> bytes:
    created_at, event_id, relay_ids, seen_ats_ms = row
    count = len(relay_ids)
    numbers = [4] * (2 * count)
    numbers[1::2] = relay_ids
    moments = [8] * (2 * count)
    moments[1::2] = seen_ats_ms
    return _sighting_struct(count).pack(
        4, 8, created_at, 32, event_id,
        _ARRAY_HEAD_BYTES + _INT4_ITEM_BYTES * count, 1, 0, _INT4_OID, count, 1, *numbers,
        _ARRAY_HEAD_BYTES + _INT8_ITEM_BYTES * count, 1, 0, _INT8_OID, count, 1, *moments,
    )  # fmt: skip


def _pack_hashes(hashes: Sequence[int]) -> bytes:
    if not hashes:
        return _EMPTY_ARRAY
    count = len(hashes)
    items = [8] * (2 * count)
    items[1::2] = hashes
    return _hashes_struct(count).pack(_ARRAY_HEAD_BYTES + _INT8_ITEM_BYTES * count, 1, 0, _INT8_OID, count, 1, *items)


def _field(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH(len(value)) + value


@lru_cache(_LENGTHS_KEPT)
def _hashes_struct(count: int) -> Struct:
    return Struct(">6i" + count * "iq")


@lru_cache(_LENGTHS_KEPT)
def _sighting_struct(count: int) -> Struct:
    return Struct(f">hiqi32s6i{2 * count}i6i" + count * "iq")
