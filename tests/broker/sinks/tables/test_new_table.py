"""A table is added by a module, a migration and a line: all that is done with tables of the archive is done with it."""

from __future__ import annotations

import asyncio
import random

import pytest

from core import kafka, postgres
from core.archive.connection import Connection, Pool
from core.settings import Settings
from schemas.nostr.event import Event
from schemas.nostr.event_id import id_form
from schemas.records.erasure import Cause, Erasure
from sinks.erasure import open_erasures
from sinks.integrity.audit import audit
from sinks.integrity.audit_report import Scope
from sinks.integrity.digest import digests
from sinks.migrate import migrate
from sinks.rebuild.source import identities
from sinks.rebuild.worker import fill
from sinks.rows import event_row
from sinks.tables.projection import picked, picked_in_sql
from tests.broker.sinks.archived import signed
from tests.broker.sinks.forgetting import Scribe, world
from tests.broker.sinks.material import feed
from tests.broker.sinks.rebuilding import in_schema
from tests.broker.sinks.tables.subjects import MIGRATIONS, SUBJECTS, WITH_SUBJECTS

pytestmark = pytest.mark.broker

AT_S = 1_790_000_000
EVENTS = [
    signed(AT_S + n, 1, [["subject", f"on {n}"]] if n % 2 else [], f"text{chr(0) * (n % 4 == 1)}") for n in range(24)
]
EXPECTED = {event.id: event.tags[0][1] for event in EVENTS if event.tags}


async def subjects(connection: Connection | Pool) -> dict[str, str]:
    return {row["id"].hex(): row["subject"] for row in await connection.fetch("SELECT id, subject FROM subjects")}


async def test_a_new_table_is_searched_for_written_erased_digested_and_audited(settings: Settings, pool: Pool) -> None:
    before, after = EVENTS[:12], EVENTS[12:]
    async with pool.acquire() as connection:
        scribe = Scribe(connection)
        await scribe.begin()
        await scribe.write(before)
        # What is there already is searched when the database is migrated, what comes then is written with its event.
        await migrate(connection, MIGRATIONS, tables=WITH_SUBJECTS)
        assert await subjects(connection) == {event.id: EXPECTED[event.id] for event in before if event.tags}
        scribe = Scribe(connection, "another", WITH_SUBJECTS)
        await scribe.begin()
        await scribe.write(after)
        await scribe.write(EVENTS)
        assert await subjects(connection) == EXPECTED
    whole = (await digests(settings, 1, WITH_SUBJECTS)).archive
    assert whole.table(SUBJECTS.name).count == len(EXPECTED)
    assert (await audit(pool, Scope(), jobs=1, tables=WITH_SUBJECTS)).findings == []

    victim = EVENTS[1]
    await pool.execute("UPDATE subjects SET subject = 'other' WHERE id = $1", bytes.fromhex(victim.id))
    changed = (await digests(settings, 1, WITH_SUBJECTS)).archive
    assert [name for name, _ in whole.differences(changed)] == [SUBJECTS.name]
    (finding,) = (await audit(pool, Scope(), jobs=1, tables=WITH_SUBJECTS)).findings
    assert (finding.table, finding.id) == (SUBJECTS.name, victim.id)

    publisher = await kafka.open_publisher(settings)
    try:
        erasures = await open_erasures(settings, pool, publisher, WITH_SUBJECTS)
        await erasures.eraser.apply([Erasure(id=victim.id, cause=Cause.OPERATOR, erased_at_ms=1)])
    finally:
        await publisher.close()
    assert await subjects(pool) == {event_id: text for event_id, text in EXPECTED.items() if event_id != victim.id}


async def test_a_new_table_is_rebuilt_from_the_topics(settings: Settings) -> None:
    async with feed(settings) as fed:
        await fed.events(EVENTS)
        await fed.sightings(EVENTS, "wss://relay.example", 1)
    target = in_schema(settings, "rebuilt")
    async with await postgres.pool(target, max_size=1) as pool, pool.acquire() as connection:
        await migrate(connection, MIGRATIONS, tables=WITH_SUBJECTS)
        ends = {tp: found.end for tp, found in (await identities(settings)).items() if found.end}
        await fill(target, ends, lambda: None, lambda _: None, WITH_SUBJECTS)
        assert await subjects(connection) == EXPECTED


async def test_two_sinks_that_write_the_same_rows_at_once_do_not_deadlock(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        await migrate(one, MIGRATIONS, tables=WITH_SUBJECTS)
        scribes = [Scribe(one, "one", WITH_SUBJECTS), Scribe(other, "other", WITH_SUBJECTS)]
        for scribe in scribes:
            await scribe.begin()
        for seed in range(5):
            events: list[Event] = [*world(seed, 60), *EVENTS]
            shuffled = random.Random(seed).sample(events, len(events))
            await asyncio.gather(scribes[0].write(events), scribes[1].write(shuffled))
        assert await subjects(one) == EXPECTED


async def test_rows_are_picked_in_sql_as_here(pool: Pool) -> None:
    events = [*world(5, 300), *EVENTS]
    rows = [event_row(each, id_form(each) or 0) for each in events]
    async with pool.acquire() as connection:
        scribe = Scribe(connection)
        await scribe.begin()
        await scribe.write(events)
        condition = picked_in_sql(WITH_SUBJECTS.projections)
        found = {row["id"] for row in await connection.fetch(f"SELECT id FROM events WHERE {condition}")}
    here = {row.id for row in picked(WITH_SUBJECTS.projections, rows)}
    assert here == found
    assert 0 < len(here) < len(rows)
