"""The PostgreSQL pool, and the one list of transient errors, which are retried instead of raised."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import asyncpg

from core.settings.errors import SettingsError
from core.settings.model import Settings
from core.waiting import until_it_works

SETTING = ("postgres", "dsn")
"""The setting that holds the address."""
# A server on this machine or in this network answers in milliseconds; a start-up or a recovery answers 57P03 at once.
_CONNECT_S = 10.0

# SQLSTATE classes (PostgreSQL manual, appendix A) whose errors pass without anybody changing our data or statements:
# 08 connection exception; 53 insufficient resources (disk full, out of memory, too many connections).
_CLASSES = frozenset({"08", "53"})
_STATES = frozenset(
    {
        "25006",  # read_only_sql_transaction: a fail-over is going on, or the disk guard made the server read-only
        "25P03",  # idle_in_transaction_session_timeout: the connection was ended while we were paused
        "25P04",  # transaction_timeout
        "40001",  # serialization_failure
        "40003",  # statement_completion_unknown
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available: lock_timeout
        "57014",  # query_canceled: statement_timeout, or an operator
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now: starting up, shutting down or recovering
        "57P05",  # idle_session_timeout
        "58000",  # system_error
        "58030",  # io_error
    }
)


def dsn(settings: Settings) -> str:
    """Give the address of the database, password included: never log it.

    Raises:
        SettingsError: it is not set, and nothing embedded has filled it in.
    """
    secret = settings.postgres.dsn
    if secret is None:
        raise SettingsError(
            "postgres.dsn (BIGBROTR_POSTGRES__DSN) is not set: give postgresql://user:password@host:port/database, or "
            "start the embedded PostgreSQL with `bigbrotr embedded start`"
        )
    return secret.get_secret_value()


def place(settings: Settings) -> str:
    """Name server and database, `host:port/database`, without user and password.

    Raises:
        SettingsError: no address is set.
    """
    url = urlsplit(dsn(settings))
    return url.netloc.rpartition("@")[2] + url.path


def connection_options(settings: Settings) -> dict[str, Any]:
    """Give asyncpg's options of a connection to the archive: address, password, schema, and a name to be known by.

    Only that schema is searched: with `public` behind it, a table that lacks there would be another archive's.

    Raises:
        SettingsError: no address is set.
    """
    options: dict[str, Any] = {
        "dsn": dsn(settings),
        "timeout": _CONNECT_S,
        "server_settings": {"application_name": "bigbrotr", "search_path": f'"{settings.postgres.schema}"'},
    }
    if settings.postgres.password is not None:
        options["password"] = settings.postgres.password.get_secret_value()
    return options


def is_transient(error: BaseException) -> bool:
    """Return whether the same work may succeed later without a change by us: connection, resources, locks, shutdown."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(getattr(error, "sqlstate", "") or "")
        return state[:2] in _CLASSES or state in _STATES
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg has no class of its own for work on a connection that was lost meanwhile, only these wordings: a pool
        # takes a lost connection back while its user still holds it.
        text = str(error)
        return "connection is closed" in text or "connection has been released back to the pool" in text
    if isinstance(error, asyncpg.InternalClientError):
        # A server that ends an idle connection leaves it in the state of an unrequested error, until the end of the
        # socket is noticed. Work that two tasks give it at once is refused with InterfaceError.
        return "cannot switch to state" in str(error)
    # TLS, DNS and sockets raise OSError, which TimeoutError is too; asyncpg's own time limits raise TimeoutError.
    return isinstance(error, OSError | TimeoutError)


async def pool(settings: Settings, **overrides: Any) -> asyncpg.Pool:
    """Open a pool of connections, waiting for the server; `overrides` are asyncpg's options.

    Raises:
        SettingsError: no address is set.
        asyncpg.PostgresError: the server refuses us for good, as with a wrong password or an unknown database.
        ServerAwayError: it was not there for as long as `core.waiting.giving_up_after` allows.
    """
    options: dict[str, Any] = {
        **connection_options(settings),
        "min_size": settings.postgres.pool_min,
        "max_size": settings.postgres.pool_max,
        "command_timeout": settings.postgres.command_timeout_s,
    }
    options |= overrides

    async def attempt() -> asyncpg.Pool:
        return await asyncpg.create_pool(**options)

    what = f"PostgreSQL at {place(settings)}"
    return await until_it_works(what, attempt, is_transient, connects=True, setting=SETTING)
