"""Connections to PostgreSQL: their types, and work on one that waits for a server that is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import postgres
from core.waiting import until_it_works

T = TypeVar("T")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def with_connection(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do work on a connection of the pool, again and again until the database is there and takes it.

    Raises whatever `core.postgres.is_transient` does not call transient.
    """

    async def once() -> T:
        async with pool.acquire() as connection:
            return await work(connection)

    return await until_it_works("PostgreSQL", once, postgres.is_transient)
