"""Renames another schema of the database to be the live archive, in one transaction, while services run.

What must not be mixed is kept apart by two locks. Every batch locks rows of `sink_offsets`, and the application of a
rule of erasure holds the advisory lock of `sinks.archive_lock`; both then use one archive's tables to the end of
their transaction, because a switch waits for them. Later transactions find the other tables under the names: PostgreSQL
plans prepared statements anew when a schema is renamed, and `sinks.writing.relay_numbers` compares the table that its
numbers come from.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from core.archive.connection import Connection
from core.archive.schema import SchemaError
from sinks.archive_lock import ARCHIVE_LOCK
from sinks.migrate import check_schema
from sinks.rebuild.source import BEGINNING
from sinks.rebuild.target import RESERVED

MAX_BEHIND = 10_000
"""Records that the running sink reads again within about a second: readers miss them for no longer."""

# Batches end within seconds; a lock that is held for longer is no batch's.
_LOCK_TIMEOUT_S = 30
# The longest name that PostgreSQL keeps whole is 63 bytes; `_20261124_134501_2` is 18.
_NAME = 63 - 18

_BEHIND = """
SELECT coalesce(sum(greatest(0, live.next_offset - coalesce(other.next_offset, 0))), 0)::bigint
FROM {live}.sink_offsets AS live LEFT JOIN {other}.sink_offsets AS other USING (group_id, topic, partition)
WHERE group_id = $1
"""
# What the roles of `sinks.roles` may, both have already: hundreds of statements that a switch need not wait for.
_GRANTS = """
WITH held AS (
    SELECT format('GRANT %%s ON %s %I.%I TO %%s', CASE old.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        $2::text, old.relname) AS granting, old.relowner AS owner, old.relacl AS acl, new.relacl AS has
    FROM pg_class AS old JOIN pg_class AS new ON new.relname = old.relname
    WHERE old.relnamespace = quote_ident($1)::regnamespace AND new.relnamespace = quote_ident($2)::regnamespace
    UNION ALL
    SELECT format('GRANT %%s ON SCHEMA %I TO %%s', $2::text), old.nspowner, old.nspacl, new.nspacl
    FROM pg_namespace AS old JOIN pg_namespace AS new ON old.nspname = $1 AND new.nspname = $2
    UNION ALL
    SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %I GRANT %%s ON %s TO %%s', old.defaclrole::regrole,
        $2::text, CASE old.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES'
            ELSE 'TYPES' END), NULL, old.defaclacl, new.defaclacl
    FROM pg_default_acl AS old LEFT JOIN pg_default_acl AS new ON new.defaclrole = old.defaclrole
        AND new.defaclobjtype = old.defaclobjtype AND new.defaclnamespace = quote_ident($2)::regnamespace
    WHERE old.defaclnamespace = quote_ident($1)::regnamespace AND pg_has_role(old.defaclrole, 'USAGE')
)
SELECT format(granting, privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
FROM held CROSS JOIN LATERAL aclexplode(acl)
WHERE grantee IS DISTINCT FROM owner AND (grantee, privilege_type) NOT IN (
    SELECT theirs.grantee, theirs.privilege_type FROM aclexplode(has) AS theirs)
"""


class SwitchError(Exception):
    """The schema cannot become the live one; the message states why and what to do."""


class Switched(NamedTuple):
    """The name under which the archive that was live is kept, and how many records the new one is behind it."""

    kept: str
    behind: int


async def switch(connection: Connection, live: str, schema: str, group_id: str, *, force: bool) -> Switched:
    """Make `schema` the archive that everybody finds under the name `live`.

    Args:
        connection: of the owner of both, whose search_path is `live`.
        live: the schema of the running archive.
        schema: the one to take its place.
        group_id: of the sink, whose offsets are compared.
        force: although it is behind, was not rebuilt to the end, or not from the beginning.

    Raises SwitchError where it cannot be done, and then nothing is.
    """
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_S}s'")
            await _check(connection, live, schema)
            for name in (live, schema):
                await connection.execute(f'LOCK TABLE "{name}".sink_offsets IN ACCESS EXCLUSIVE MODE')
                table = f"""'"{name}".events'"""
                await connection.execute(f"SELECT pg_advisory_xact_lock({ARCHIVE_LOCK % table})")
            behind = await _behind(connection, live, schema, group_id, force=force)
            for grant in await connection.fetch(_GRANTS, live, schema):
                await connection.execute(grant[0])
            kept = await _free_name(connection, f"{live[:_NAME]}_{datetime.now(UTC):%Y%m%d_%H%M%S}")
            await connection.execute(f'ALTER SCHEMA "{live}" RENAME TO "{kept}"')
            await connection.execute(f'ALTER SCHEMA "{schema}" RENAME TO "{live}"')
    except asyncpg.LockNotAvailableError:
        raise SwitchError(
            f"a transaction has used the archive for {_LOCK_TIMEOUT_S} s, and a switch waits for it: try again when it "
            "has ended (pg_stat_activity shows it)"
        ) from None
    return Switched(kept, behind)


async def _check(connection: Connection, live: str, schema: str) -> None:
    """Raise SwitchError unless both are archives of this version."""
    for name in (live, schema):
        if await connection.fetchval("SELECT to_regnamespace($1)", name) is None:
            raise SwitchError(f"there is no schema {name}: `bigbrotr rebuild --into {schema}` makes one")
        await connection.execute(f'SET LOCAL search_path TO "{name}"')
        try:
            await check_schema(connection)
        except SchemaError as error:
            raise SwitchError(f"schema {name}: {error}") from error
    await connection.execute(f'SET LOCAL search_path TO "{live}"')


async def _free_name(connection: Connection, name: str) -> str:
    """The name, or one like it if there was a switch within this second."""
    free, number = name, 1
    while await connection.fetchval("SELECT to_regnamespace($1)", free) is not None:
        number += 1
        free = f"{name}_{number}"
    return free


async def _behind(connection: Connection, live: str, schema: str, group_id: str, *, force: bool) -> int:
    """How far it is behind, with the offsets of both held still. Raises SwitchError where that is too far."""
    if not await connection.fetchval(f"SELECT pg_try_advisory_xact_lock({RESERVED % '$1'})", schema):
        raise SwitchError(f"a rebuild into schema {schema} is going on: let it end first")
    behind: int = await connection.fetchval(_BEHIND.format(live=f'"{live}"', other=f'"{schema}"'), group_id)
    if force:
        return behind
    rebuilt = await connection.fetchrow(f'SELECT * FROM "{schema}".rebuilds WHERE group_id = $1', group_id)  # noqa: S608 - checked
    again = f"`bigbrotr rebuild --into {schema}` goes on, and --force switches nevertheless"
    if behind > MAX_BEHIND:
        raise SwitchError(f"schema {schema} is {behind:,} records behind the live archive: {again}")
    if rebuilt is not None and rebuilt["finished_at"] is None:
        raise SwitchError(f"the rebuild into schema {schema} did not come to its end: {again}")
    if rebuilt is not None and rebuilt["began_from"] != BEGINNING.text:
        raise SwitchError(
            f"schema {schema} was read from {rebuilt['began_from']} on, and lacks what was before: "
            f"`bigbrotr rebuild --into {schema} --from beginning --again` reads it, and --force switches nevertheless"
        )
    return behind
