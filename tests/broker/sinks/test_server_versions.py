"""An archive is made, written, read, erased from, audited, rebuilt and switched on every version that is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from pydantic import SecretStr

from core import postgres
from core.archive.connection import reading, reading_pool
from core.archive.counts import counts
from core.kafka.topics import create_topics
from core.settings import KafkaSettings, PostgresSettings, Settings, SinkSettings
from schemas.records.erasure import Cause, Erasure
from sinks.integrity.audit import audit
from sinks.integrity.audit_report import Scope
from sinks.integrity.digest import digests
from sinks.migrate import migrate, migrations
from sinks.roles import OWNER, READER, WRITER
from sinks.switch import switch
from tests.broker.sinks.archived import RELAYS, SEEN_MS, difficult, some_events
from tests.broker.sinks.as_roles import PASSWORDS, as_role
from tests.broker.sinks.material import feed, running_sink
from tests.broker.sinks.rebuilding import archive, caught_up, in_schema, rebuilt
from tests.own_postgres import OTHERS, address, installed, own_postgres
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

VERSIONS = (16, 17, 18)
"""Those that docs/reference/settings.md names."""
ACCESS = ("host all tester,admin 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256")
EVENTS = [*some_events(150), *difficult()]


def programs(version: int) -> Path:
    """The programs of a version; skips the test where they are not here."""
    if version not in installed():
        pytest.skip(f"PostgreSQL {version} is not installed here: {OTHERS} may name the folder of its programs")
    return installed()[version]


@asynccontextmanager
async def own_archive(servers: Servers, folder: Path, version: int) -> AsyncIterator[Settings]:
    """A database of a server of this version, owned by an administrator who may make roles and is no superuser."""
    with own_postgres(programs(version), access=ACCESS) as port:
        superuser = await asyncpg.connect(address(port))
        await superuser.execute("CREATE ROLE admin LOGIN CREATEROLE")
        await superuser.execute("CREATE DATABASE archive OWNER admin")
        await superuser.close()
        settings = Settings(
            data_dir=folder,
            kafka=KafkaSettings(**servers.kafka_settings(), topic_prefix=f"v{version}.", partitions=4, linger_ms=0),
            postgres=PostgresSettings(dsn=SecretStr(address(port, user="admin", database="archive"))),
            sink=SinkSettings(group_id=f"v{version}", batch_age_ms=50),
        )
        await create_topics(settings)
        yield settings


@pytest.mark.parametrize("version", VERSIONS)
async def test_everything_that_an_archive_is_for(servers: Servers, tmp_path: Path, version: int) -> None:
    erased = EVENTS[0]
    async with own_archive(servers, tmp_path, version) as settings:
        async with await postgres.pool(settings, writable=True) as pool, pool.acquire() as connection:
            made = await migrate(connection, passwords=PASSWORDS)
            assert (len(made.applied), made.request) == (len(migrations()), "")
            assert not (await migrate(connection)).applied
        writer, reader, owner = (as_role(settings, role) for role in (WRITER, READER, OWNER))
        async with feed(settings) as fed:
            await fed.events(EVENTS)
            await fed.sightings(EVENTS, RELAYS[0], SEEN_MS)
            rule = Erasure(id=erased.id, cause=Cause.OPERATOR, erased_at_ms=1)
            await fed.raw("erasures", rule.partition(4), rule.encode(), rule.key())
        async with running_sink(writer):
            await until(lambda: caught_up(settings), "the sink has read all")

        async with reading(reader) as connection:
            assert (await counts(connection)).events == len(EVENTS) - 1
            assert not await connection.fetch("SELECT * FROM event_by_id($1)", erased.id)
            assert await connection.fetch("SELECT event_json(e) FROM event_by_id($1) AS e", EVENTS[1].id)
        async with reading_pool(reader, 2) as pool:
            report = await audit(pool, Scope(), jobs=2)
        assert (report.findings, report.events) == ([], len(EVENTS) - 1)

        original = await archive(owner)
        assert (await rebuilt(owner, "rebuilt", jobs=2)).records >= len(EVENTS)
        assert (await digests(in_schema(owner, "rebuilt"), 2)).archive == original
        async with await postgres.pool(owner, writable=True) as pool, pool.acquire() as connection:
            switched = await switch(connection, "public", "rebuilt", settings.sink.group_id, force=False)
        assert (switched.behind, await archive(reader)) == (0, original)
        assert await archive(owner, switched.kept) == original
