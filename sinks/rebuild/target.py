"""The archive that a rebuild fills: not the live one, locked by one rebuild at a time, resuming an earlier one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ssl import SSLError
from typing import NamedTuple

import asyncpg
from aiokafka import TopicPartition

from core import postgres
from core.archive.connection import Connection
from core.settings import Settings
from core.waiting import brief
from sinks.rebuild.source import BEGINNING, Start
from sinks.writing.stored_offsets import StoredOffset, TopicIdentity, check_position, resumed_offsets, stored_offsets

# A live database that does not answer within this is away: then it is not the one that we are connected to.
_LIVE_S = 5.0
RESERVED = "7110202, (%s::regnamespace::oid::bigint - 2147483648)::integer"
"""The advisory lock of a rebuild on a schema, given as an SQL expression of its name: a number that no other lock of
ours uses, and the schema's oid, moved into the range of an integer."""
_HERE = RESERVED % "quote_ident(current_schema())"

_WHERE = """
SELECT (SELECT system_identifier FROM pg_control_system()) AS server, current_database() AS database,
    current_schema() AS schema
"""
_BEGIN = """
INSERT INTO rebuilds (group_id, began_from) VALUES ($1, $2)
ON CONFLICT (group_id) DO UPDATE SET began_from = excluded.began_from, started_at = now(), finished_at = NULL
"""


class RebuildError(Exception):
    """The rebuild cannot be done as asked; the message states why and what to do."""


class LiveError(RebuildError):
    """The target is the archive that the sink writes."""


class Place(NamedTuple):
    """A schema of a database of a server."""

    server: int
    database: str
    schema: str | None


async def place(connection: Connection) -> Place:
    """Where a connection leads; `schema` is None where it is not there yet."""
    row = await connection.fetchrow(_WHERE)
    assert row is not None
    return Place(row["server"], row["database"], row["schema"])


async def refuse_live(connection: Connection, settings: Settings) -> None:
    """Raise LiveError where the target is the archive of the settings, which the sink writes.

    Raises RebuildError where that cannot be told: it is there, and does not let us look.
    """
    here = await place(connection)
    if here.schema is None or settings.postgres.dsn is None:
        return
    try:
        there = await _live_place(settings)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise RebuildError(
            f"the live archive (postgres.dsn) cannot be asked whether it is the target: {brief(error)}; try again when "
            "it answers"
        ) from error
    if here == there:
        raise LiveError(
            f"schema {here.schema} of database {here.database} is the live archive, which the sink fills from the "
            "topics: name another schema or database, and `bigbrotr switch` when it is filled"
        )


async def _live_place(settings: Settings) -> Place | None:
    """Where the live archive is; None where it is away, and so not what we are connected to."""
    try:
        live = await asyncpg.connect(**postgres.connection_options(settings) | {"timeout": _LIVE_S})
    except (asyncpg.InvalidCatalogNameError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
        return None
    except OSError as error:
        if isinstance(error, SSLError):
            raise
        return None
    try:
        async with asyncio.timeout(_LIVE_S):
            return await place(live)
    finally:
        live.terminate()


@asynccontextmanager
async def reserved(connection: Connection) -> AsyncIterator[None]:
    """Keep other rebuilds out of this schema, and a switch of it, for the length of a block.

    Raises RebuildError where one is going on.
    """
    if not await connection.fetchval(f"SELECT pg_try_advisory_lock({_HERE})"):
        raise RebuildError("a rebuild into this schema is going on")
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute(f"SELECT pg_advisory_unlock({_HERE})")


async def begin(
    connection: Connection,
    group_id: str,
    found: Mapping[TopicPartition, TopicIdentity],
    first: Mapping[TopicPartition, int],
    start: Start | None,
    *,
    again: bool,
) -> dict[TopicPartition, StoredOffset]:
    """Give the offsets at which reading goes on, and store them where there are none yet.

    Args:
        connection: to the target, whose tables are there.
        group_id: of the sink, which goes on from these offsets after a switch.
        found: the partitions as they are now.
        first: where each is begun in a target that was never read into.
        start: what `first` was made of; None: the beginning, or wherever the target is.
        again: drop the offsets that are there, and begin anew.

    Raises:
        RebuildError: the target is filled from elsewhere.
        PositionError: the offsets there do not fit these topics.
    """
    async with connection.transaction():
        began_from = await connection.fetchval("SELECT began_from FROM rebuilds WHERE group_id = $1", group_id)
        known = await stored_offsets(connection, group_id)
        if again:
            await connection.execute("DELETE FROM sink_offsets WHERE group_id = $1", group_id)
            known = {}
        if not known:
            await connection.execute(_BEGIN, group_id, (start or BEGINNING).text)
        elif start is not None and start.text != began_from:
            raise RebuildError(
                f"the target is filled already{f', from {began_from}' if began_from else ' by a sink'}: leave --from "
                "out to go on where that ended, or add --again to read once more from "
                f"{start.text}, which is safe: rows converge"
            )
        starts = {tp: identity._replace(beginning=first[tp]) for tp, identity in found.items()}
        stored = await resumed_offsets(connection, group_id, starts)
    for tp, identity in found.items():
        check_position(tp, group_id, stored[tp], identity)
    return stored


async def finish(connection: Connection, group_id: str) -> None:
    """Record that everything up to the end offsets has been read."""
    await connection.execute("UPDATE rebuilds SET finished_at = now() WHERE group_id = $1", group_id)
