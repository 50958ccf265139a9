"""Roles are made by a role that may make them, once for a whole server, and what there was before is handed over."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from pydantic import SecretStr

from core.archive.connection import Connection
from core.archive.rows import EVENT_COLUMNS
from deploy.embedded.paths import DataPaths
from deploy.embedded.servers.postgres_binaries import installed_binaries
from schemas.nostr.event_id import IdForm
from sinks import roles
from sinks.migrate import MONTHS_AHEAD, MigrationError, migrate, migrations, months_ahead
from sinks.roles import OWNER, READER, ROLES, WRITER
from sinks.rows import event_row
from tests.broker.sinks.as_roles import PASSWORDS, address
from tests.broker.sinks.material import event

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

APP, APP_PASSWORD = "app", "app-31d2"
NOT_THE_OWNERS = """
SELECT relname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S') AND rolname <> $1
    AND relname NOT LIKE 'pg_buffercache%'
UNION ALL
SELECT proname FROM pg_proc JOIN pg_roles ON pg_roles.oid = proowner
WHERE pronamespace = 'public'::regnamespace AND rolname <> $1 AND proname NOT LIKE 'pg_buffercache%'
UNION ALL
SELECT nspname FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner
WHERE nspname = 'public' AND rolname <> $1
"""
_numbers = itertools.count()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roles")


@pytest.fixture(scope="module")
def own_server(data: Path) -> Iterator[Servers]:
    """A PostgreSQL for this module: roles are made and removed, which the other tests share."""
    from deploy.embedded.stack import running_stack  # noqa: PLC0415 - as the other fixtures

    with running_stack(data, names=("postgres",)) as started:
        yield started


class Server:
    """A server without our roles, and its databases."""

    def __init__(self, dsn: SecretStr) -> None:
        self.dsn = dsn
        self.databases: list[str] = []

    async def database(self, owner: str | None = None) -> SecretStr:
        """The address of a new database of this owner."""
        name = f"roles_{next(_numbers)}"
        await self.execute(f"CREATE DATABASE {name}" + (f" OWNER {owner}" if owner else ""))
        self.databases.append(name)
        return SecretStr(self.dsn.get_secret_value().rpartition("/")[0] + f"/{name}")

    async def execute(self, *statements: str) -> None:
        """As the superuser."""
        async with connected(self.dsn) as connection:
            for statement in statements:
                await connection.execute(statement)


@pytest.fixture
async def server(own_server: Servers) -> AsyncIterator[Server]:
    assert own_server.dsn is not None
    server = Server(own_server.dsn)
    yield server
    await server.execute(*(f"DROP DATABASE {name} WITH (FORCE)" for name in server.databases))
    await server.execute(*(f"DROP ROLE IF EXISTS {name}" for name in (*ROLES, APP)))


@asynccontextmanager
async def connected(dsn: SecretStr, role: str | None = None, password: str = "") -> AsyncIterator[Connection]:
    connection = await asyncpg.connect((address(dsn, role, password) if role else dsn).get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


async def assert_complete(dsn: SecretStr) -> None:
    """Everything is the owner's, the writer writes and the reader reads, also where it was made by others."""
    async with connected(dsn) as admin:
        assert not (await migrate(admin, passwords=PASSWORDS)).request
        assert await admin.fetch(NOT_THE_OWNERS, OWNER) == []
    async with connected(dsn, WRITER, PASSWORDS[WRITER].get_secret_value()) as writer:
        await writer.execute("DELETE FROM sightings_past; DELETE FROM sightings; CREATE TEMP TABLE t (LIKE events)")
    async with connected(dsn, READER, PASSWORDS[READER].get_secret_value()) as reader:
        await reader.fetch("SELECT FROM event_flags; ")
        await reader.fetch("SELECT FROM events_past")


async def test_migrations_of_several_databases_at_once_make_the_roles_once(server: Server) -> None:
    found = [await server.database() for _ in range(4)]

    async def one(dsn: SecretStr) -> None:
        for _ in range(3):
            async with connected(dsn) as connection:
                assert not (await migrate(connection, passwords=PASSWORDS)).request

    await asyncio.gather(*map(one, found))
    for dsn in found:
        await assert_complete(dsn)


async def test_a_role_that_may_not_make_roles_goes_on_and_says_what_an_administrator_must_do(server: Server) -> None:
    await server.execute(f"CREATE ROLE {APP} LOGIN PASSWORD '{APP_PASSWORD}'")
    dsn = await server.database(APP)
    async with connected(dsn, APP, APP_PASSWORD) as app:
        done = await migrate(app, passwords=PASSWORDS)
        assert done.applied == [migration.name for migration in migrations()]
        assert await months_ahead(app) == MONTHS_AHEAD
        assert done.request.startswith(f"{APP} may not do all")
        assert not any(password.get_secret_value() in done.request for password in PASSWORDS.values())
        assert "SCRAM" not in done.request
        statements = (await migrate(app)).request.rpartition(": ")[2].split("; ")
        assert statements == [
            *(f"CREATE ROLE {name}" for name in ROLES),
            f"GRANT {OWNER} TO {APP} WITH INHERIT TRUE, SET TRUE",
        ]
        await server.execute(*statements[:-1])
        assert (await migrate(app)).request.endswith(f": {statements[-1]}")
        await server.execute(statements[-1])
        assert not (await migrate(app)).request
        assert await app.fetch(NOT_THE_OWNERS, OWNER) == []
        assert "LOGIN PASSWORD '…'" in (await migrate(app, passwords=PASSWORDS)).request
        # What is made from now on is the owner's too.
        assert (await migrate(app, as_of=datetime(2027, 6, 1, tzinfo=UTC))).months
        assert await app.fetch(NOT_THE_OWNERS, OWNER) == []
    await assert_complete(dsn)


async def test_a_role_that_makes_roles_without_being_a_superuser_does_it_all(server: Server) -> None:
    """As the administrators of managed servers."""
    await server.execute(f"CREATE ROLE {APP} LOGIN CREATEROLE PASSWORD '{APP_PASSWORD}'")
    dsn = await server.database(APP)
    async with connected(dsn, APP, APP_PASSWORD) as app:
        assert not (await migrate(app, passwords=PASSWORDS)).request
        assert await app.fetch(NOT_THE_OWNERS, OWNER) == []
        assert await app.fetchval("SELECT current_user") == APP
        assert await migrate(app, passwords=PASSWORDS) == ([], 0, "")
    await assert_complete(dsn)
    # Another such role, to which these roles were not handed on.
    await server.execute(f"REVOKE {OWNER}, {WRITER}, {READER} FROM {APP} CASCADE")
    async with connected(dsn, APP, APP_PASSWORD) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await migrate(app)


async def test_tables_of_older_versions_are_handed_over_and_their_owner_goes_on(server: Server) -> None:
    await server.execute(f"CREATE ROLE {APP} LOGIN PASSWORD '{APP_PASSWORD}'")
    dsn = await server.database(APP)
    async with connected(dsn, APP, APP_PASSWORD) as app:
        await migrate(app, migrations()[:3])
        assert len(await app.fetch(NOT_THE_OWNERS, OWNER)) > MONTHS_AHEAD
        async with connected(dsn) as admin:
            await admin.execute("CREATE EXTENSION pg_buffercache")
            assert (await migrate(admin)).applied == [migration.name for migration in migrations()[3:]]
            assert await admin.fetchval("SELECT viewowner FROM pg_views WHERE viewname = 'pg_buffercache'") != OWNER
        await app.copy_records_to_table("events", records=[event_row(event(1), IdForm.NIP01)], columns=EVENT_COLUMNS)
        assert await migrate(app) == ([], 0, "")
    await assert_complete(dsn)


async def test_a_schema_is_handed_over_before_what_is_in_it(server: Server) -> None:
    """Who is no superuser gives things only to a role that may create in their schema."""
    await server.execute(f"CREATE ROLE {APP} LOGIN PASSWORD '{APP_PASSWORD}'")
    dsn = await server.database(APP)
    async with connected(dsn, APP, APP_PASSWORD) as app:
        await migrate(app)
        await server.execute(f"ALTER ROLE {APP} CREATEROLE")
        assert await roles.make_roles(app) == []
        assert await roles.grant(app) == ([], True)
    await assert_complete(dsn)


async def test_tables_of_others_are_not_taken_from_them(server: Server) -> None:
    await server.execute(f"CREATE ROLE {APP} LOGIN PASSWORD '{APP_PASSWORD}'")
    dsn = await server.database(APP)
    async with connected(dsn, APP, APP_PASSWORD) as app:
        await app.execute("CREATE TABLE orders (a int); CREATE VIEW late AS TABLE orders")
    async with connected(dsn) as admin:
        await admin.execute("CREATE EXTENSION pg_buffercache")
        with pytest.raises(MigrationError, match=r"schema public holds what is no archive's \(late; orders\), and"):
            await migrate(admin)
        assert not await admin.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1)", ROLES)
        await admin.execute("SET search_path TO archive")
        assert not (await migrate(admin)).request
        assert await admin.fetchval("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'") == APP
        assert not await admin.fetchval(f"SELECT has_table_privilege('{READER}', 'public.orders', 'SELECT')")


async def test_the_owner_itself_migrates_and_makes_schemas(server: Server) -> None:
    dsn = await server.database()
    await assert_complete(dsn)
    async with connected(dsn, OWNER, PASSWORDS[OWNER].get_secret_value()) as owner:
        assert await migrate(owner) == ([], 0, "")
        await owner.execute("SET search_path TO beside")
        assert (await migrate(owner)).months > 0
        new = {OWNER: SecretStr("owner-new")}
        assert await migrate(owner, passwords=new) == ([], 0, "")
    async with connected(dsn, OWNER, "owner-new") as owner:
        assert await owner.fetchval("SELECT count(*) FROM beside.events") == 0
        await owner.execute("ALTER SCHEMA public RENAME TO before; ALTER SCHEMA beside RENAME TO public")
    await assert_complete(dsn)


async def test_an_owner_that_lacks_another_role_is_not_told_to_become_the_owner(server: Server) -> None:
    dsn = await server.database()
    await assert_complete(dsn)
    async with connected(dsn) as admin:
        await admin.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}")
    async with connected(dsn, OWNER, PASSWORDS[OWNER].get_secret_value()) as owner:
        assert (await migrate(owner)).request.endswith(f": CREATE ROLE {READER}")
    await server.execute(f"CREATE ROLE {READER}")
    await assert_complete(dsn)


async def test_a_password_is_changed_by_migrating_again_and_stands_in_no_log(server: Server, data: Path) -> None:
    dsn = await server.database()
    async with connected(dsn) as admin:
        await admin.execute("SET log_statement = 'all'")
        for password in ("first-6c1d", "zweites-ﬁn\u00a0é-5b2e", "d'rittes $1 \\ \"-4a3f"):
            await migrate(admin, passwords={READER: SecretStr(password)})
            async with connected(dsn, READER, password) as reader:
                assert await reader.fetchval("SELECT count(*) FROM events") == 0
            for wrong in ("first-6c1e", password[:-1]):
                with pytest.raises(asyncpg.InvalidPasswordError):
                    async with connected(dsn, READER, wrong):
                        pass
        with pytest.raises(asyncpg.InvalidPasswordError):
            async with connected(dsn, READER, "first-6c1d"):
                pass
    logged = (DataPaths.of(data).run / "postgres.log").read_bytes()
    assert b"ALTER ROLE bigbrotr_reader" in logged
    assert not any(end in logged for end in (b"6c1d", b"5b2e", b"4a3f"))


async def test_without_roles_and_rights_in_a_dump_a_restored_archive_is_complete_after_migrating(
    server: Server, tmp_path: Path
) -> None:
    dsn, other = await server.database(), await server.database()
    await assert_complete(dsn)
    async with connected(dsn) as admin:
        await admin.copy_records_to_table("events", records=[event_row(event(1), IdForm.NIP01)], columns=EVENT_COLUMNS)
    dump = tmp_path / "dump"
    as_reader = address(dsn, READER, PASSWORDS[READER].get_secret_value())
    for program, *arguments in (
        ("pg_dump", "-Fc", "-f", str(dump), "-d", as_reader.get_secret_value()),
        ("pg_restore", "--no-owner", "--no-privileges", "-d", other.get_secret_value(), str(dump)),
    ):
        path = installed_binaries() / program
        process = await asyncio.create_subprocess_exec(path, *arguments, stderr=asyncio.subprocess.PIPE)
        _, err = await process.communicate()
        assert process.returncode == 0, err
    async with connected(other) as admin:
        assert len(await admin.fetch(NOT_THE_OWNERS, OWNER)) > MONTHS_AHEAD
    await assert_complete(other)
    async with connected(other, READER, PASSWORDS[READER].get_secret_value()) as reader:
        assert await reader.fetchval("SELECT event_json(events) ->> 'id' FROM events") == event(1).id


async def test_a_server_that_is_made_strict_later_still_lets_the_roles_in(server: Server) -> None:
    dsn = await server.database()
    await assert_complete(dsn)
    async with connected(dsn) as admin:
        name = await admin.fetchval("SELECT current_database()")
        await admin.execute(
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC; "
            "REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM PUBLIC"
        )
    async with connected(dsn, WRITER, PASSWORDS[WRITER].get_secret_value()) as writer:
        await writer.execute("CREATE TEMP TABLE t (LIKE events)")
        assert await months_ahead(writer) == MONTHS_AHEAD
    async with connected(dsn, READER, PASSWORDS[READER].get_secret_value()) as reader:
        assert await reader.fetch("SELECT event_json(e) FROM visible_events AS e") == []


def test_the_roles_have_the_names_that_the_compose_file_and_operators_know() -> None:
    assert roles.ROLES == ("bigbrotr_owner", "bigbrotr_writer", "bigbrotr_reader")
