"""Connections to the archive: types, read-only connections, and retries while the server is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import postgres
from core.settings import Settings
from core.waiting import brief, until_it_works

T = TypeVar("T")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class TimedOutError(Exception):
    """A statement took too long; the message says what. Nothing of its transaction is kept."""


def reading_options(settings: Settings, *, patience_s: float | None = None) -> dict[str, Any]:
    """Give asyncpg's options of a connection that can only read.

    Args:
        settings: name the archive.
        patience_s: after so long, connecting or a statement is given up; None: reading takes as long as it takes.

    Raises:
        SettingsError: no address is set.
    """
    options = postgres.connection_options(settings)
    session = options["server_settings"] | {"default_transaction_read_only": "on"}
    if patience_s is not None:
        options |= {"timeout": patience_s, "command_timeout": patience_s}
        # Compiling a plan over months takes longer than running it.
        session |= {"statement_timeout": f"{patience_s * 1000:.0f}ms", "jit": "off"}
    return options | {"server_settings": session}


@asynccontextmanager
async def reading_pool(
    settings: Settings, connections: int = 1, *, command_timeout_s: float | None = None
) -> AsyncIterator[Pool]:
    """Open a pool of so many connections that can only read, waiting for the server as `core.postgres.pool` does.

    Statements may take as long as they take, or `command_timeout_s`.
    """
    options = reading_options(settings) | {"command_timeout": command_timeout_s}
    pool = await postgres.pool(settings, **options, min_size=1, max_size=connections)
    try:
        yield pool
    finally:
        pool.terminate()


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Connection]:
    """Open one connection that can only read, waiting for the server as `core.postgres.pool` does."""
    async with reading_pool(settings) as pool, pool.acquire() as connection:
        yield connection


async def with_connection(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do work on a connection of the pool, again and again until the database is there and takes it.

    Raises whatever `core.postgres.is_transient` does not call transient.
    """

    async def once() -> T:
        async with pool.acquire() as connection:
            return await work(connection)

    return await until_it_works("PostgreSQL", once, postgres.is_transient, setting=postgres.SETTING)


def in_time(work: Callable[[Connection], Awaitable[T]]) -> Callable[[Connection], Awaitable[T]]:
    """The same work, which raises TimedOutError where a statement of it takes too long.

    So that `with_connection` does not try the same again, and the caller does less of it. A connection that cannot be
    made in time is no statement.
    """

    async def timed(connection: Connection) -> T:
        try:
            return await work(connection)
        except Exception as error:
            if postgres.is_time_out(error):
                raise TimedOutError(brief(error)) from error
            raise

    return timed
