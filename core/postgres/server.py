"""Which server may hold an archive: told by what each new connection finds, before anything is read or made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from core.postgres.errors import DSN, POOLED, UnusableServerError

MIN_VERSION = 16
"""Below it there is no GRANT … WITH INHERIT, SET, by which an administrator who is no superuser becomes the owner."""

_ENCODING = "UTF8"
_FOUND = """
SELECT current_setting('server_version_num')::integer / 10000 AS version, current_setting('server_version') AS named,
    current_setting('server_encoding') AS encoding, current_setting('search_path') AS path,
    current_setting('transaction_read_only') = 'on' AS is_read_only, pg_is_in_recovery() AS is_standby,
    pg_backend_pid() AS pid
"""
_PID = "SELECT pg_backend_pid()"


async def check(connection: asyncpg.Connection[asyncpg.Record], options: Mapping[str, Any], *, writable: bool) -> None:
    """Raise UnusableServerError where the server of a new connection is not one for an archive.

    Args:
        connection: asked for its settings, as what was asked for may have been dropped on the way to the server.
        options: with which it was opened.
        writable: whether tables are to be made.
    """
    found = await connection.fetchrow(_FOUND)
    assert found is not None
    if found["version"] < MIN_VERSION:
        raise UnusableServerError(
            f"{DSN} names a PostgreSQL of version {found['named']}: {MIN_VERSION} or newer is needed"
        )
    if found["encoding"] != _ENCODING:
        raise UnusableServerError(
            f"{DSN} names a database with encoding {found['encoding']}, and events are {_ENCODING}: make another with "
            f"CREATE DATABASE … ENCODING '{_ENCODING}' LOCALE 'C' TEMPLATE template0"
        )
    if _unquoted(found["path"]) != _unquoted(options["server_settings"]["search_path"]):
        raise UnusableServerError(POOLED)
    if found["pid"] != connection.get_server_pid() and await _shares_sessions(connection, options):
        raise UnusableServerError(POOLED)
    if writable and found["is_standby"]:
        raise UnusableServerError(f"{DSN} names a standby, which takes no writes: name the primary server")
    if writable and found["is_read_only"]:
        raise UnusableServerError(
            f"{DSN} names a server that takes no writes (default_transaction_read_only is on, for the server, this "
            "database or this role): switch it off, or name another"
        )


def _unquoted(path: str) -> str:
    """The name of the only schema of a search_path: as `core.settings` lets it be, it needs no quotes."""
    return path.replace('"', "")


async def _shares_sessions(connection: asyncpg.Connection[asyncpg.Record], options: Mapping[str, Any]) -> bool:
    """Return whether something on the way, which answered in the server's place, hands sessions from client to client.

    It takes the session that was given back last, or the next one of all: in this order of questions two clients of
    it either meet in one session, or one of them has two.
    """
    other = await asyncpg.connect(**options)
    try:
        mine = {await connection.fetchval(_PID), await connection.fetchval(_PID)}
        others = {await other.fetchval(_PID), await other.fetchval(_PID)}
    finally:
        other.terminate()
    return len(mine) > 1 or len(others) > 1 or bool(mine & others)
