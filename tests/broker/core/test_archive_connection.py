"""Connections of readers: they cannot write, whichever function opens them, and those with patience give up."""

from __future__ import annotations

import asyncpg
import pytest

from core.archive.connection import reading, reading_options, reading_pool
from core.settings import Settings

pytestmark = pytest.mark.broker


async def test_readers_cannot_write(settings: Settings) -> None:
    async with reading(settings) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE made (a int)")
    async with reading_pool(settings, 2) as pool, pool.acquire() as one, pool.acquire() as other:
        for connection in (one, other):
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await connection.execute("CREATE TABLE made (a int)")
    with pytest.raises(asyncpg.InterfaceError):
        await pool.fetchval("SELECT 1")


async def test_a_statement_of_a_reader_with_patience_ends_when_that_has_passed(settings: Settings) -> None:
    # To connect may take longer here, on a machine that is busy.
    connection = await asyncpg.connect(**reading_options(settings, patience_s=0.05) | {"timeout": 60})
    try:
        with pytest.raises((TimeoutError, asyncpg.QueryCanceledError)):
            await connection.execute("SELECT pg_sleep(60)")
        assert await connection.fetchval("SHOW statement_timeout") == "50ms"
        assert await connection.fetchval("SHOW default_transaction_read_only") == "on"
    finally:
        connection.terminate()
