"""Brings a database to this version: its roles, the numbered SQL files in `migrations`, then the months ahead.

Files go forward only. Each is applied once, in its own transaction, and recorded with its checksum: a file that was
changed after it had been applied is refused, because databases would then differ by the day on which they were
migrated. What a file leaves to be searched in older rows, or to be counted, follows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

import asyncpg
from pydantic import SecretStr

from core.archive.connection import Connection
from core.archive.schema import SchemaError, check_version
from sinks import roles
from sinks.backfill import backfill, count_rows, list_versions
from sinks.tables import TABLES, Tables

MONTHS_AHEAD = 24
"""Partitions that the owner makes in advance: two years without anyone running `migrate`."""
MONTHS_NEEDED = 2
"""Below this many the sink is not ready: rows still find a place, but in the partition of the whole future."""

# Any number that no other lock of this database uses: it makes two migrations at once wait for each other.
_LOCK = 7110200
_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


# A connection's search_path names the schema of its archive (core.postgres), which may not be there yet.
_MISSING_SCHEMA = """
SELECT format('CREATE SCHEMA %I', (parse_ident(current_setting('search_path')))[1]) WHERE current_schema() IS NULL
"""


_TO_SEARCH = "SELECT to_regclass('unread_requests') IS NOT NULL"
_TO_LIST = "SELECT to_regclass('unlisted_versions') IS NOT NULL"
_TO_COUNT = "SELECT to_regclass('uncounted_rows') IS NOT NULL"


class MigrationError(SchemaError):
    """The database cannot be brought to this version; the message states why and what to do."""


class Migration(NamedTuple):
    """One numbered SQL file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, 64 hex digits. Line ends do not count: a checkout may have changed them."""
        return sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()


class Migrated(NamedTuple):
    """What `migrate` did.

    Attributes:
        applied: the names of the files.
        months: how many monthly partitions it made.
        request: a sentence on what its roles lack and only an administrator can give; empty where they are complete.
    """

    applied: list[str]
    months: int
    request: str


def migrations() -> list[Migration]:
    """The SQL files of this version, in order."""
    found = [
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in files("sinks.migrations").iterdir()
        if (match := _FILE_NAME.fullmatch(file.name))
    ]
    return sorted(found)


async def migrate(
    connection: Connection,
    known: Sequence[Migration] | None = None,
    as_of: datetime | None = None,
    passwords: Mapping[str, SecretStr] | None = None,
    tables: Tables = TABLES,
) -> Migrated:
    """Make schema and roles, apply what is missing, and make the months ahead. Safe to repeat, and twice at once.

    Args:
        connection: of an administrator, or of the role that owns the tables.
        known: the migrations to apply; those of this version by default.
        as_of: the time from which months are counted; now by default.
        passwords: with which roles (`sinks.roles`) are to log in; the others are left as they are.
        tables: that `known` makes, for which older events are searched.

    Raises MigrationError where an applied file has changed or is unknown to this version, or a role cannot be set up.
    """
    known = migrations() if known is None else known
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute("SET client_min_messages = warning")
        await roles.refuse_tables_of_others(connection)
        lacking = await roles.make_roles(connection)
        if create_schema := await connection.fetchval(_MISSING_SCHEMA):
            await connection.execute(create_schema)
        granted = await roles.grant(connection)
        is_owner = granted.is_owners and await roles.act_as_owner(connection)
        applied, months = await _bring_up(connection, known, as_of or datetime.now(UTC), tables)
        await connection.execute("RESET ROLE")
        if not is_owner:  # then nothing was granted on what has just been made
            granted = await roles.grant(connection)
        # Without roles, or acting as the owner, the rest lacks for no reason of its own.
        lacking = (lacking or granted.lacking) + await roles.set_passwords(connection, passwords or {})
        return Migrated(applied, months, await roles.request(connection, lacking))
    except roles.RoleError as error:
        raise MigrationError(str(error)) from error
    finally:
        if not connection.is_closed():
            await connection.execute("RESET ROLE; RESET client_min_messages")
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def check_schema(connection: Connection) -> None:
    """Raise SchemaError unless the tables are those of this version, and were made by the files as they are now."""
    await check_version(connection)
    await _applied(connection, migrations())


async def months_ahead(connection: Connection) -> int:
    """How many monthly partitions lie after the current month."""
    months: int = await connection.fetchval("SELECT months_ahead()")
    return months


async def _bring_up(
    connection: Connection, known: Sequence[Migration], as_of: datetime, tables: Tables
) -> tuple[list[str], int]:
    """Apply what is missing, and make the months ahead. Gives the names of the files and the number of months."""
    await connection.execute(_LEDGER)
    present = await _applied(connection, known)
    applied = [await _apply(connection, migration) for migration in known if migration.version not in present]
    if await connection.fetchval(_TO_SEARCH):
        await backfill(connection, tables.projections)
    if await connection.fetchval(_TO_LIST):
        await list_versions(connection)
    if await connection.fetchval(_TO_COUNT):
        await count_rows(connection)
    months = 0
    if await connection.fetchval("SELECT to_regproc('add_months_ahead') IS NOT NULL"):
        months = await connection.fetchval("SELECT add_months_ahead($1, $2)", MONTHS_AHEAD, as_of)
    return applied, months


async def _applied(connection: Connection, known: Sequence[Migration]) -> set[int]:
    """The numbers of the files that were applied. Raises MigrationError where one has changed or is not known."""
    rows = await connection.fetch("SELECT version, name, checksum FROM schema_migrations")
    recorded = {row["version"]: row for row in rows}
    for migration in known:
        row = recorded.pop(migration.version, None)
        if row is not None and row["checksum"] != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it had been applied to this database: "
                f"restore it, and make the change in a new file with the next number"
            )
    if recorded:
        names = ", ".join(row["name"] for row in recorded.values())
        raise MigrationError(f"the database has {names}, which this version does not know: install a newer version")
    return {row["version"] for row in rows}


async def _apply(connection: Connection, migration: Migration) -> str:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} failed and was rolled back: {error}") from error
    return migration.name
