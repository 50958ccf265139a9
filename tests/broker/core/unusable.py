"""What a command and a pool say of a server that they cannot use, and what it left there."""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import pytest

from core import postgres
from core.settings import PostgresSettings, Settings
from tests.environment import environment

LIMIT_S = 30.0
"""Far above what an answer takes, and far below what a wait for a server would."""


def settings_for(dsn: str, schema: str = "public") -> Settings:
    return Settings(postgres=PostgresSettings.model_validate({"dsn": dsn, "schema": schema}))


async def refused(settings: Settings) -> str:
    """What opening a pool says against a server. Not for TLS: asyncpg leaves a socket open then, which a test sees."""
    with pytest.raises(postgres.UnusableServerError) as caught:
        async with asyncio.timeout(LIMIT_S):
            await postgres.pool(settings)
    return str(caught.value)


async def ended(settings: Settings, *arguments: str) -> tuple[int | None, str]:
    """The exit code of a command, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bigbrotr", *arguments), env=environment(settings), stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            said = (await process.communicate())[1].decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
    assert "Traceback" not in said
    return process.returncode, said


async def migrate(settings: Settings) -> str:
    """What `bigbrotr migrate` says: one sentence and the exit code of settings."""
    code, said = await ended(settings, "migrate")
    assert (code, said.count("\n")) == (2, 0), said
    return said


async def made(dsn: str) -> list[str]:
    """The roles and the tables of ours in a database."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'bigbrotr%' "
        "UNION ALL SELECT relname FROM pg_class WHERE relname = 'schema_migrations'"
    )
    await connection.close()
    return [row["name"] for row in rows]
