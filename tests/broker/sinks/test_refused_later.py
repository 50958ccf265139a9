"""A server that lets a running sink in no more, as after a change of its password, ends it with a sentence."""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr

from core import postgres
from core.settings import Settings
from tests.environment import environment
from tests.waiting import until

pytestmark = pytest.mark.broker


async def test_a_password_that_is_changed_under_a_running_sink_is_a_sentence(
    settings: Settings, tmp_path: Path
) -> None:
    role = f"late_{uuid.uuid4().hex[:12]}"
    url = urlsplit(postgres.dsn(settings))
    dsn = urlunsplit(url._replace(netloc=f"{role}:right-4711@{url.netloc.rpartition('@')[2]}"))
    ours = settings.model_copy(
        update={
            "postgres": settings.postgres.model_copy(update={"dsn": SecretStr(dsn)}),
            "http": settings.http.model_copy(update={"port_file": tmp_path / "port"}),
        }
    )
    owner = await asyncpg.connect(postgres.dsn(settings))
    log = tmp_path / "log"
    try:
        await owner.execute(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'right-4711'")
        with log.open("wb") as stderr:
            sink = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bigbrotr", "service", "sink"), env=environment(ours), stderr=stderr
            )
        try:
            await until(lambda: b"sink is running" in log.read_bytes(), log.read_text)
            await owner.execute(f"ALTER ROLE {role} PASSWORD 'other'")
            await owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role)
            async with asyncio.timeout(60):
                code = await sink.wait()
        finally:
            if sink.returncode is None:
                sink.kill()
                await sink.wait()
        said = log.read_text()
        assert code == 2, said
        assert "sink cannot run: in the settings: PostgreSQL refuses: password authentication failed" in said
        assert "BIGBROTR_POSTGRES__PASSWORD" in said
        assert "Traceback" not in said
        assert "4711" not in said
    finally:
        await owner.execute(f"DROP ROLE IF EXISTS {role}")
        await owner.close()
