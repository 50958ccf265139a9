"""The commands that rebuild, compare, switch and judge again, as a person calls them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import asyncpg
import psutil
import pytest

from core import postgres
from core.kafka.topics import create_topics
from core.settings import Settings
from sinks.migrate import migrate
from tests.broker.bigbrotr.conftest import Command
from tests.broker.embedded.support import is_alive
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.material import event, feed
from tests.environment import environment
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker


async def test_rebuild_compare_and_switch(settings: Settings, command: Command) -> None:
    await create_topics(settings)
    assert (await command("migrate")).returncode == 0
    made = [event(number) for number in range(30)]
    async with feed(settings) as fed:
        await fed.events(made)
        await fed.sightings(made, "wss://relay.example", 1)
        expected = fed.digest()

    live = await command("rebuild", "--into", "public")
    assert (live.returncode, "--into: schema public" in live.stderr) == (2, True), live.stderr
    wrong = await command("rebuild", "--into", "Re-built")
    assert (wrong.returncode, "a to z, 0 to 9 and _" in wrong.stderr) == (2, True), wrong.stderr

    done = await command("rebuild", "--into", "one", "--jobs", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert done.json()["records"] > 30
    assert (await command("rebuild", "--into", "other", "--jobs", "1")).returncode == 0
    found = (await command("digest", "--at", "one", "--by-month", "--json")).json()
    assert found["digest"] == expected.hexdigest()
    assert [month["rows"] for month in found["months"]["events"].values()] == [30]
    equal = await command("digest", "--at", "one", "--compare", "other")
    assert equal.returncode == 0, equal.stdout
    assert "DIFFERENT" not in equal.stdout

    assert settings.postgres.dsn is not None
    connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    await connection.execute("DELETE FROM other.sightings WHERE id = $1", bytes.fromhex(made[0].id))
    await connection.close()
    different = await command("digest", "--at", "one", "--compare", "other", "--json")
    assert different.returncode == 1
    assert different.json()["differences"] == [{"table": "sightings", "month": "2026-09"}]

    assert (await command("switch", "public")).returncode == 2
    switched = await command("switch", "one")
    assert switched.returncode == 0, switched.stderr
    assert "bigbrotr switch public_2" in switched.stderr
    assert (await command("digest", "--json")).json()["digest"] == expected.hexdigest()


async def test_another_database_takes_its_password_from_a_file(
    settings: Settings, servers: Servers, command: Command, tmp_path: Path
) -> None:
    await create_topics(settings)
    made = [event(number) for number in range(30)]
    async with feed(settings) as fed:
        await fed.events(made)
        expected = fed.digest()
    async with fresh_database(servers, "with_a_pgpass") as dsn:
        url = urlsplit(dsn.get_secret_value())
        assert url.password
        bare = url._replace(netloc=f"{url.username}@{url.hostname}:{url.port}").geturl()
        passfile = tmp_path / "pgpass"
        passfile.write_text(f"{url.hostname}:{url.port}:*:{url.username}:{unquote(url.password)}\n")
        passfile.chmod(0o600)
        given = {"PGPASSFILE": str(passfile)}

        refused = await command("rebuild", "--into", bare, PGPASSWORD="another")
        assert (refused.returncode, "--into: PostgreSQL refuses: password" in refused.stderr) == (2, True), (
            refused.stderr
        )
        assert "see the address and its password (PGPASSWORD)" in refused.stderr
        assert "BIGBROTR_POSTGRES__DSN" not in refused.stderr
        done = await command("rebuild", "--into", bare, "--jobs", "2", **given)
        assert (done.returncode, "Warning" in done.stderr) == (0, False), done.stderr
        found = await command("digest", "--at", bare, "--json", **given)
        assert found.json()["digest"] == expected.hexdigest()

        exposed = await command("rebuild", "--into", dsn.get_secret_value())
        assert exposed.returncode == 0, exposed.stderr
        assert "can be read by every user of this machine (ps)" in exposed.stderr
        assert url.password not in exposed.stderr


async def test_reprocess_needs_a_time_that_is_one(command: Command) -> None:
    wrong = await command("reprocess", "--since", "2026-11-20", "--until", "2026-11-19")
    assert (wrong.returncode, "must be 1970 or later and before --until" in wrong.stderr) == (2, True)


async def test_a_digest_that_is_killed_leaves_no_process(settings: Settings) -> None:
    connection = await asyncpg.connect(postgres.dsn(settings))
    await migrate(connection)
    async with connection.transaction():
        await connection.execute("LOCK TABLE expirations IN ACCESS EXCLUSIVE MODE")
        arguments = (sys.executable, "-m", "bigbrotr", "digest", "--jobs", "2")
        reading = await asyncio.create_subprocess_exec(*arguments, env=environment(settings))
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"

        async def held_up() -> object:
            waiting = f"SELECT EXISTS (SELECT FROM pg_locks WHERE database = {here} AND NOT granted)"
            return await connection.fetchval(waiting)

        await until(held_up, "a worker waits for the lock")
        workers = psutil.Process(reading.pid).children(recursive=True)
        reading.kill()
        await reading.wait()

        async def are_gone() -> bool:
            return not any(map(is_alive, workers))

        assert workers
        await until(are_gone, "the workers' end")
    await connection.close()
