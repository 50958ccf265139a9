"""Each role can do what it is for, and nothing beyond."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from core import postgres
from core.archive.connection import Connection
from core.settings import PolicySettings, Settings
from producers.connector.reconcile.archive_ids import ArchiveIds
from schemas.nostr.filters import Filter
from sinks.integrity.digest import digests
from sinks.migrate import MigrationError, migrate
from sinks.roles import OWNER, READER, WRITER
from sinks.switch import switch
from sinks.tables import TABLES
from tests.broker.sinks.as_roles import PASSWORDS, address, as_role, let_in
from tests.broker.sinks.material import event, feed, running_sink
from tests.broker.sinks.rebuilding import RELAYS, caught_up, fetchval, in_schema, live_through, rebuilt
from tests.environment import environment
from tests.waiting import until

pytestmark = pytest.mark.broker

AUDITED = {"audit": 1}
"""How the commands end that do not end with 0: what these tests archive is not signed."""
_FORBIDDEN_TO_ALL_BUT_THE_OWNER = [
    "CREATE TABLE mine (a int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE SCHEMA mine",
    "ALTER TABLE events ADD COLUMN mine int",
    "ALTER SCHEMA public RENAME TO mine",
    "DROP TABLE events_future",
    "DROP FUNCTION months_ahead",
    "TRUNCATE relays",
    "CREATE INDEX ON relays (url)",
    "SELECT add_months_ahead(48)",
    "SELECT rolpassword FROM pg_authid",
    f"SET ROLE {OWNER}",
    f"GRANT {OWNER} TO CURRENT_USER",
    f"ALTER ROLE {OWNER} PASSWORD 'mine'",
]
_FORBIDDEN_TO_THE_READER = [
    "INSERT INTO relays (url) VALUES ('wss://mine.example')",
    "UPDATE sink_offsets SET next_offset = 0",
    "DELETE FROM events",
    "DELETE FROM events_past",
    "SELECT * FROM events LIMIT 1 FOR UPDATE",
    "SELECT nextval('relays_id_seq')",
    f"SET ROLE {WRITER}",
]
_VIEWS = (
    "visible_events",
    "event_flags",
    "event_sightings",
    "coverage",
    "binding_vanish_requests",
    "relay_uptime",
    "relay_latency",
    "relay_document_differences",
)


@pytest.fixture
async def live(settings: Settings) -> Settings:
    """Roles that can log in, and an archive in which the writer's sink took in something of everything."""
    await let_in(settings)
    policy = PolicySettings(deletion="erase", expiration="hide", vanish="erase", own_urls=["wss://own.example"])
    erasing = settings.model_copy(update={"policy": policy})
    async with feed(erasing) as fed, running_sink(as_role(erasing, WRITER)):
        await live_through(fed, 1)
        await until(lambda: caught_up(erasing), "the sink has read all")
    return erasing


@asynccontextmanager
async def connected(settings: Settings, role: str) -> AsyncIterator[Connection]:
    async with await postgres.pool(as_role(settings, role), max_size=1) as pool, pool.acquire() as connection:
        yield connection


async def refused(connection: Connection, statement: str) -> bool:
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


async def test_what_the_writer_archived_is_what_the_owner_rebuilds_and_the_reader_reads(live: Settings) -> None:
    mine = await digests(as_role(live, READER), 2)
    counts = {table.name: mine.archive.table(table.name).count for table in TABLES.archive}
    assert counts["events"], counts
    assert counts["sightings"], counts
    assert await fetchval(live, "SELECT count(*) FROM coverage_ranges")
    assert mine.state.table("registry").count
    assert mine.state.table("relay_days").count
    assert mine.state.table("probes").count
    await rebuilt(as_role(live, OWNER), "rebuilt", jobs=2)
    assert await digests(in_schema(as_role(live, READER), "rebuilt"), 1) == mine
    assert await digests(in_schema(live, "rebuilt"), 1) == mine


async def test_writer_and_reader_are_kept_to_what_they_are_for(live: Settings) -> None:
    for role, forbidden in ((WRITER, []), (READER, _FORBIDDEN_TO_THE_READER)):
        async with connected(live, role) as connection:
            for statement in forbidden + _FORBIDDEN_TO_ALL_BUT_THE_OWNER:
                assert await refused(connection, statement), (role, statement)
            with pytest.raises(MigrationError, match=f"connect as {OWNER}"):
                await migrate(connection)
    assert await fetchval(live, "SELECT count(*) FROM events")


async def test_the_reader_sees_everything_that_is_read(live: Settings) -> None:
    async with connected(live, READER) as connection:
        for view in _VIEWS:
            await connection.fetch(f"SELECT * FROM {view}")
        found = await connection.fetchval("SELECT event_json(e) ->> 'id' FROM visible_events AS e LIMIT 1")
        assert await connection.fetchval("SELECT event_json(e) FROM event_by_id($1) AS e", found)
        assert await connection.fetchval("SELECT tag_hash('t', 'x')")
        assert await connection.fetch("SELECT * FROM relay_uptime_at(now()) JOIN relay_latency_at(now()) USING (url)")
    held = ArchiveIds(as_role(live, READER))
    window = await held.window(Filter(), None, None, RELAYS[0])
    await held.close()
    assert window is not None
    assert len(window.held) == await fetchval(live, "SELECT count(*) FROM events")
    for arguments, shown in (
        (("digest", "--json"), b'"events"'),
        (("export", "--sightings"), b'"seen_at"'),
        (("audit", "--json"), b'"events"'),
        (("coverage",), RELAYS[0].encode()),
        (("status",), b"postgres        reachable"),
    ):
        assert shown in await command(as_role(live, READER), *arguments, code=AUDITED.get(arguments[0], 0)), arguments


async def test_the_owner_can_run_every_command_and_the_writer_goes_on_after_a_switch(live: Settings) -> None:
    owner = as_role(live, OWNER)
    async with feed(live) as fed, running_sink(as_role(live, WRITER)):
        await command(owner, "migrate")
        await command(owner, "rebuild", "--into", "rebuilt", "--jobs", "1")
        await command(owner, "digest", "--compare", "rebuilt")
        await command(owner, "switch", "rebuilt")
        assert await fetchval(live, "SELECT count(*) FROM rebuilds") == 1, "the live one is the rebuilt one"
        later = [event(number) for number in range(90_000, 90_020)]
        await fed.events(later)
        await fed.sightings(later, "wss://new.example", 1)
        await until(lambda: caught_up(live), "the sink has read all")
        assert await fetchval(live, "SELECT count(*) FROM event_sightings WHERE relay = 'wss://new.example'") == 20
        await command(owner, "erase", "--yes", later[0].id)
        await until(lambda: caught_up(live), "the sink has read all")
        await command(owner, "audit", code=AUDITED["audit"])
        await command(owner, "export", "-o", str(live.data_dir / "all.jsonl"))
    async with connected(live, OWNER) as connection:
        assert await connection.fetchval("SELECT add_months_ahead(30)") > 0
    newest = await fetchval(
        live, "SELECT max(relname) FROM pg_class WHERE relkind = 'r' AND relname ~ '^events_[0-9]{4}_[0-9]{2}$'"
    )
    async with connected(live, WRITER) as connection:
        assert await connection.execute(f"DELETE FROM {newest}") == "DELETE 0"
    async with connected(live, READER) as connection:
        assert await connection.fetch(f"SELECT FROM {newest}") == []


async def test_grants_of_others_go_with_a_switch_also_those_on_what_is_made_later(live: Settings) -> None:
    other = f"chart_{live.sink.group_id}"
    async with await postgres.pool(live, max_size=1) as pool, pool.acquire() as connection:
        await connection.execute(f"CREATE ROLE {other}")
        try:
            await connection.execute(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT ON TABLES TO {other}; "
                f"GRANT SELECT ON events TO {other}; GRANT USAGE ON SCHEMA public TO {other}"
            )
            await rebuilt(live, "rebuilt")
            await switch(connection, "public", "rebuilt", live.sink.group_id, force=False)
            await connection.execute(f"SET ROLE {OWNER}; CREATE TABLE later (a int); SET ROLE {other}")
            assert await connection.fetchval("SELECT count(*) FROM events")
            assert await connection.fetchval("SELECT count(*) FROM later") == 0
            assert await refused(connection, "SELECT FROM relays")
        finally:
            await connection.execute(f"RESET ROLE; DROP OWNED BY {other}; DROP ROLE {other}")


async def test_migrating_again_changes_no_row_of_the_catalog_and_waits_for_no_reader(settings: Settings) -> None:
    await let_in(settings)
    versions = "SELECT max(xmin::text::bigint), count(*) FROM {}"
    catalogs = ("pg_class", "pg_proc", "pg_namespace", "pg_database", "pg_auth_members", "pg_default_acl")
    async with await postgres.pool(settings, max_size=2) as pool, pool.acquire() as connection, pool.acquire() as other:
        before = [await other.fetchrow(versions.format(catalog)) for catalog in catalogs]
        async with other.transaction():
            await other.execute("LOCK TABLE events, sightings, relays, sink_offsets IN ROW EXCLUSIVE MODE")
            await other.execute("LOCK TABLE visible_events, event_flags, coverage IN ACCESS SHARE MODE")
            await connection.execute("SET lock_timeout = '2s'")
            assert await migrate(connection) == ([], 0, "")
        assert [await other.fetchrow(versions.format(catalog)) for catalog in catalogs] == before
        assert await connection.fetchval("SELECT current_user") != OWNER


async def test_the_command_gives_the_passwords_of_the_settings(settings: Settings) -> None:
    assert settings.postgres.dsn is not None
    passwords = {OWNER: "other-03d8", WRITER: "other-51c6", READER: "other-b2f7"}
    variable = "BIGBROTR_POSTGRES__{}_PASSWORD"
    extra = {variable.format(role.removeprefix("bigbrotr_").upper()): each for role, each in passwords.items()}
    await command(settings, "migrate", extra=extra)
    for role, password in passwords.items():
        connection = await asyncpg.connect(address(settings.postgres.dsn, role, password).get_secret_value())
        assert await connection.fetchval("SELECT current_user") == role
        await connection.close()


async def command(settings: Settings, *arguments: str, code: int = 0, extra: Mapping[str, str] | None = None) -> bytes:
    """What a command writes to stdout, which must end with this exit code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bigbrotr", *arguments),
        env=environment(settings, **(extra or {})),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, (arguments, err.decode())
    # Nothing that is told to people holds what lets somebody in.
    assert not any(password.get_secret_value() in err.decode() for password in PASSWORDS.values())
    return out
