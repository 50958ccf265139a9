"""Versions of an address: the current one, all of them, and which events are current (NIP-01).

The newest event counts, of equal times the one with the lowest id, also if it is hidden: its predecessor does not come
back. One that was erased has no row, as if it had never been received.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from core.archive.connection import Connection
from core.archive.event_query import Key, Parameters
from core.archive.queries.newest import ANSWER_BYTES
from core.archive.queries.one_event import KNOWN_COLUMNS, KnownEvent, known_event
from core.archive.queries.view import View
from core.archive.rows import CHUNK_ROWS, memory_bytes, row_of
from schemas.nostr.address import Address
from schemas.nostr.deletion import address_sha256

_HAS_ALL = "SELECT NOT EXISTS (SELECT FROM unlisted_versions)"
_BELOW = "address_sha256 = $1 AND created_at <= $2 AND (created_at < $2 OR id > $3)"
# The index orders by time alone. First the time at which the page ends is found, in its order, then the rows from there
# on are sorted: an address may have more versions than the planner expects. A limit or offset that it cannot know makes
# it take the index.
_KEYS = f"""
SELECT created_at, id FROM address_versions
WHERE {_BELOW} AND created_at >= coalesce((
    SELECT created_at FROM address_versions WHERE {_BELOW}
    ORDER BY created_at DESC OFFSET (SELECT $4::bigint - 1) LIMIT 1), 0)
ORDER BY created_at DESC, id LIMIT $4
"""  # noqa: S608 - ours
_ABOVE_ALL = Key(2**63 - 1, b"")
"""Before every version in the order of an answer."""


class UnlistedError(Exception):
    """Events that were archived before versions were listed are not all listed yet: what is newest is not known."""


class Version(NamedTuple):
    """A version of an address, whether it is shown, and the bytes that it takes in memory."""

    known: KnownEvent
    is_shown: bool
    size: int


class Versions(NamedTuple):
    """A part of the versions of an address.

    Attributes:
        shown: those that are not hidden, newest first.
        below: the key to read on below; None: there is nothing further.
    """

    shown: list[KnownEvent]
    below: Key | None


async def has_all_versions(connection: Connection) -> bool:
    """Whether all events are listed: `bigbrotr migrate` lists those that are older than the list."""
    try:
        return bool(await connection.fetchval(_HAS_ALL))
    except asyncpg.UndefinedTableError:  # an archive that is not migrated yet
        return False


async def current_version(connection: Connection, address: Address, view: View) -> Version | None:
    """Read the current version of an address; None: no event has it.

    In one moment (`ArchiveReader.read`), or a version that is erased meanwhile takes the place of the one before.

    Raises:
        UnlistedError: it is not known which that is.
    """
    keys = await _keys(connection, address, _ABOVE_ALL, 1)
    found = await _versions(connection, keys, view)
    return found[0] if found else None


async def versions(
    connection: Connection,
    address: Address,
    view: View,
    *,
    limit: int,
    below: Key | None = None,
    answer_bytes: int = ANSWER_BYTES,
) -> Versions:
    """Read versions of an address, newest first.

    Args:
        connection: to the archive, used for a few statements.
        address: of the versions.
        view: what the reader may see.
        limit: how many are looked at: fewer are given where some are hidden.
        below: only what comes after this key in the order.
        answer_bytes: of the texts of those that are looked at, after which no further one is.

    Raises:
        UnlistedError: not all are known.
    """
    keys = await _keys(connection, address, below or _ABOVE_ALL, limit + 1)
    shown: list[KnownEvent] = []
    end, size = below, 0
    for start in range(0, limit, CHUNK_ROWS):
        for known, is_shown, known_size in await _versions(
            connection, keys[start : min(start + CHUNK_ROWS, limit)], view
        ):
            if size > answer_bytes:
                return Versions(shown, end)
            if is_shown:
                shown.append(known)
            end, size = Key(known.event.created_at, bytes.fromhex(known.event.id)), size + known_size
    return Versions(shown, keys[limit - 1] if len(keys) > limit else None)


async def _keys(connection: Connection, address: Address, below: Key, limit: int) -> list[Key]:
    if not await has_all_versions(connection):
        raise UnlistedError("older events are still being listed by `bigbrotr migrate`")
    rows = await connection.fetch(_KEYS, address_sha256(str(address)), *below, limit)
    return [Key(row["created_at"], row["id"]) for row in rows]


async def _versions(connection: Connection, keys: Sequence[Key], view: View) -> list[Version]:
    """What is known of versions, in their order; without what was erased a moment ago, and damaged rows."""
    if not keys:
        return []
    parameters = Parameters()
    times = parameters.add([key.created_at for key in keys], "bigint[]")
    ids = parameters.add([key.id for key in keys], "bytea[]")
    rows = await connection.fetch(
        f"SELECT {KNOWN_COLUMNS}, {view.condition(parameters)} AS is_shown FROM event_flags AS found "  # noqa: S608
        f"WHERE created_at = ANY({times}) AND id = ANY({ids}) ORDER BY created_at DESC, id",
        *parameters.values,
    )
    return [
        Version(known, row["is_shown"], memory_bytes(row_of(row)))
        for row in rows
        if (known := known_event(row)) is not None
    ]
