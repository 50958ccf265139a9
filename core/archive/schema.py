"""Whether the tables of an archive are those of this version, and whole: asked by all that use it."""

from __future__ import annotations

from core.archive.connection import Connection
from core.errors import OperatorError

VERSION = 15
"""Number of the newest migration (`sinks.migrations`, from 1 on): the tables that this version reads and writes."""

_IS_MIGRATED = "SELECT to_regclass('schema_migrations') IS NOT NULL"
_APPLIED = "SELECT version FROM schema_migrations"
_IS_UNSEARCHED = "SELECT EXISTS (SELECT FROM unread_requests)"


class SchemaError(OperatorError):
    """The archive has other tables than this version needs; the message says the remedy."""


async def check_version(connection: Connection) -> None:
    """Raise SchemaError unless the tables are those of this version, and what hides their events is complete."""
    if not await connection.fetchval(_IS_MIGRATED):
        raise SchemaError("the database has no tables of the archive yet: run `bigbrotr migrate`")
    applied = {row["version"] for row in await connection.fetch(_APPLIED)}
    if lacking := {*range(1, VERSION + 1)} - applied:
        older = min(lacking) - 1
        raise SchemaError(
            f"the tables of the archive are of version {older}, and {VERSION} is needed: run `bigbrotr migrate`"
        )
    if (newest := max(applied)) > VERSION:
        raise SchemaError(
            f"the tables of the archive are of version {newest}, and this version of BigBrotr knows {VERSION}: install "
            "a newer version"
        )
    if await connection.fetchval(_IS_UNSEARCHED):
        raise SchemaError("older events were not searched to the end for what they delete: run `bigbrotr migrate`")
