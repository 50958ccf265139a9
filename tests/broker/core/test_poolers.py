"""A real PgBouncer before the server: refused in a sentence, with nothing made, where it does not keep sessions."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from core import postgres
from deploy.embedded.servers.postgres_binaries import installed_binaries
from deploy.embedded.servers.postgres_user import server_account
from tests.broker.core.unusable import made, migrate, refused, settings_for
from tests.own_postgres import OWNER, address, free_port, own_postgres
from tests.waiting import until

pytestmark = pytest.mark.broker


@contextmanager
def pgbouncer(server: int, mode: str, ignored: str = "") -> Iterator[int]:
    """A real PgBouncer before a server; gives its port. Skips the test where it is not installed."""
    program = shutil.which("pgbouncer", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("PgBouncer is not installed here")
    account, port = server_account(), free_port()
    with tempfile.TemporaryDirectory(prefix="bigbrotr-test-") as folder:
        account.own(Path(folder))
        users, config = Path(folder) / "users", Path(folder) / "pgbouncer.ini"
        users.write_text(f'"{OWNER}" ""\n')
        config.write_text(
            f"[databases]\npostgres = host=127.0.0.1 port={server}\n"
            f"gone = host=127.0.0.1 port={server} dbname=nowhere\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {users}\npool_mode = {mode}\nignore_startup_parameters = {ignored}\n"
        )
        for file in (users, config):
            account.own(file)
        process = subprocess.Popen(
            [program, "--quiet", str(config)], cwd="/", stderr=subprocess.DEVNULL, **account.popen()
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(30)


IGNORED = "search_path, default_transaction_read_only"


@pytest.fixture
async def direct() -> AsyncIterator[int]:
    """A server on which a role's connections search the schema `pooled`, whatever they ask for."""
    with own_postgres(installed_binaries()) as port:
        connection = await asyncpg.connect(address(port))
        await connection.execute(f"ALTER ROLE {OWNER} SET search_path = pooled")
        await connection.close()
        yield port


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.parametrize(
    ("mode", "ignored", "schema"),
    [
        ("transaction", "", "pooled"),  # it refuses search_path
        ("session", "", "pooled"),
        ("transaction", IGNORED, "public"),  # it drops search_path: tables would be made in the wrong schema
        ("session", IGNORED, "public"),
        ("transaction", IGNORED, "pooled"),  # all seems well, and sessions are shared
        ("statement", IGNORED, "pooled"),
    ],
)
async def test_a_pooler_that_does_not_keep_sessions_is_refused(
    direct: int, mode: str, ignored: str, schema: str
) -> None:
    with pgbouncer(direct, mode, ignored) as port:
        await until(lambda: listens(port), "PgBouncer listens")
        said = await migrate(settings_for(address(port), schema))
        assert "connection pooler" in said
        assert "name the address of the PostgreSQL server itself" in said
        assert await made(address(direct)) == []


async def test_a_pooler_in_session_mode_is_used_where_the_role_has_the_search_path(direct: int) -> None:
    with pgbouncer(direct, "session", IGNORED) as port:
        await until(lambda: listens(port), "PgBouncer listens")
        pool = await postgres.pool(settings_for(address(port), "pooled"), writable=True)
        assert await pool.fetchval("SELECT 1") == 1
        await pool.close()


@pytest.mark.parametrize(("database", "user"), [("unknown", OWNER), ("gone", OWNER), ("postgres", "stranger")])
async def test_what_a_pooler_does_not_know_is_a_sentence(direct: int, database: str, user: str) -> None:
    with pgbouncer(direct, "session", IGNORED) as port:
        await until(lambda: listens(port), "PgBouncer listens")
        said = await refused(settings_for(address(port, user=user, database=database), "pooled"))
        assert said.startswith("a connection pooler before PostgreSQL refuses: ")
