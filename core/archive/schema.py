"""Which version of the tables an archive has, for those who read it and do not migrate."""

from __future__ import annotations

from core.archive.connection import Connection
from core.errors import OperatorError

VERSION = 15
"""Number of the newest migration (`sinks.migrations`): the tables that queries of this version read."""

_IS_MIGRATED = "SELECT to_regclass('schema_migrations') IS NOT NULL"
_NEWEST = "SELECT coalesce(max(version), 0) FROM schema_migrations"


class SchemaError(OperatorError):
    """The archive has other tables than this version reads; the message says the remedy."""


async def check_version(connection: Connection) -> None:
    """Raise SchemaError unless the tables are those of this version."""
    if not await connection.fetchval(_IS_MIGRATED):
        raise SchemaError("the database has no tables of the archive yet: run `bigbrotr migrate`")
    newest: int = await connection.fetchval(_NEWEST)
    if newest < VERSION:
        raise SchemaError(
            f"the tables of the archive are of version {newest}, and {VERSION} is needed: run `bigbrotr migrate`"
        )
    if newest > VERSION:
        raise SchemaError(
            f"the tables of the archive are of version {newest}, and this version of BigBrotr knows {VERSION}: install "
            "a newer version"
        )
