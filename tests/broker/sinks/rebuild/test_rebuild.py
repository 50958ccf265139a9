"""A rebuilt archive equals the original, in whatever order its topics are read, and can take its place."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import asyncpg
import psutil
import pytest
from aiokafka import ConsumerRecord, TopicPartition

from bigbrotr.commands.rebuild.target_archive import at
from core import kafka, postgres
from core.settings import Settings
from schemas.records import sighting
from schemas.records.sighting import Sighting
from sinks.integrity.digest import archive_digest, digests
from sinks.migrate import migrate
from sinks.rebuild.run import Plan, rebuild
from sinks.rebuild.source import BEGINNING, Start, identities
from sinks.rebuild.target import LiveError, RebuildError
from sinks.rebuild.worker import PartitionReader, Report, fill
from sinks.switch import SwitchError, switch
from sinks.tables import TABLES
from sinks.tables.topic_table import Record
from sinks.tables.topic_tables.sightings import SIGHTINGS
from sinks.writing.batch import Batch
from sinks.writing.stored_offsets import OffsetsMovedError, StoredOffset, TopicIdentity, begin_offsets, stored_offsets
from sinks.writing.writer import Writer
from tests.broker.embedded.support import is_alive
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.material import Feed, event, feed, running_sink
from tests.broker.sinks.rebuilding import (
    RELAYS,
    Watched,
    archive,
    caught_up,
    fetchval,
    in_schema,
    live_through,
    rebuilt,
)
from tests.environment import environment
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker


async def _live(settings: Settings, *seeds: int) -> None:
    """Let the live sink archive what was fed for some seeds."""
    async with feed(settings) as fed:
        for seed in seeds:
            await live_through(fed, seed)
    async with running_sink(settings):
        await until(lambda: caught_up(settings), "the sink has read all")


async def test_a_rebuilt_schema_and_a_rebuilt_database_equal_the_original(settings: Settings, servers: Servers) -> None:
    await _live(settings, 1)
    original = await digests(settings, 1)
    rows = {table.name: original.archive.table(table.name).count for table in TABLES.archive}
    assert all(rows[name] for name in rows.keys() - {"erased_author_ids", "erased_addresses"}), rows
    with pytest.raises(LiveError, match="bigbrotr switch"):
        await rebuilt(settings, "public")

    done = await rebuilt(settings, "rebuilt", jobs=2)
    assert done.records > sum(rows[name] for name in ("events", "deletions_by_id"))
    assert await digests(in_schema(settings, "rebuilt"), 1) == original
    # It goes on from where it was: to the tombstones that the rules of erasure had it send.
    assert (await rebuilt(settings, "rebuilt")).records < done.records // 4

    async with fresh_database(servers, "rebuilt_elsewhere") as dsn:
        other = at(settings, dsn.get_secret_value())
        watched = Watched()
        await rebuild(settings, Plan(other, None, again=False, jobs=2), watched)
        assert watched.steps[-1][0] == watched.steps[-1][1] > 0
        assert await digests(other, 2) == original


async def test_a_killed_rebuild_goes_on_from_what_is_committed(settings: Settings) -> None:
    made = [event(number) for number in range(4_000)]
    async with feed(settings) as fed:
        await fed.events(made)
        await fed.sightings(made, RELAYS[0], 1)
        expected = fed.digest()
    other = in_schema(settings, "rebuilt")
    async with await postgres.pool(other, max_size=1) as pool, pool.acquire() as connection:
        await migrate(connection)
        # No partition gets beyond its 300th record while this connection holds the lock: the kill is in the middle.
        await connection.execute(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.next_offset > 300 THEN PERFORM pg_advisory_xact_lock_shared(300); END IF; RETURN NEW; END $$; "
            "CREATE TRIGGER held BEFORE UPDATE ON sink_offsets FOR EACH ROW EXECUTE FUNCTION hold(); "
            "SELECT pg_advisory_lock(300)"
        )
        command = (sys.executable, "-m", "bigbrotr", "rebuild", "--into", "rebuilt", "--jobs", "2")
        env = environment(settings, BIGBROTR_SINK__BATCH_EVENTS="50")
        first = await asyncio.create_subprocess_exec(*command, env=env, start_new_session=True)

        async def held_up() -> bool:
            return bool(await connection.fetchval("SELECT count(*) FROM pg_locks WHERE objid = 300 AND NOT granted"))

        await until(held_up, "a worker waits for the lock")
        assert await connection.fetchval("SELECT sum(next_offset) FROM sink_offsets")
        workers = psutil.Process(first.pid).children(recursive=True)
        first.kill()
        assert await first.wait() == -signal.SIGKILL

        async def workers_are_gone() -> bool:
            return not any(is_alive(worker) for worker in workers)

        await until(workers_are_gone, "the workers' end")
        await connection.execute("SELECT pg_advisory_unlock(300)")

        async def backends_are_gone() -> bool:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            return bool(await connection.fetchval(f"SELECT count(*) = 0 {others}"))

        await until(backends_are_gone, "the end of their connections")
        missing = 4_000 - int(await connection.fetchval("SELECT count(*) FROM events"))
    assert 0 < missing < 4_000
    done = await rebuilt(settings, "rebuilt")
    assert missing <= done.records < 8_000
    assert (await archive(settings, "rebuilt")).digest() == expected


async def test_a_last_batch_that_is_dropped_is_read_again(settings: Settings) -> None:
    """As where the server lost its last moments in a crash: the offsets are not where the batch began."""
    made = [event(number) for number in range(40)]
    async with feed(settings) as fed:
        await fed.events(made)
    other = in_schema(settings, "rebuilt")
    async with await postgres.pool(other, max_size=1) as pool, pool.acquire() as connection:
        await migrate(connection)
        await connection.execute(
            "CREATE SEQUENCE moves; CREATE FUNCTION refuse_first() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN CASE WHEN nextval('rebuilt.moves') > 1 THEN NEW END; END $$; "
            "CREATE TRIGGER once BEFORE UPDATE ON sink_offsets FOR EACH ROW EXECUTE FUNCTION refuse_first()"
        )
        await rebuilt(settings, "rebuilt")
        assert await connection.fetchval("SELECT count(*) FROM events") == len(made)


async def test_a_live_archive_that_cannot_be_read_stops_a_rebuild_and_one_that_is_gone_does_not(
    settings: Settings, servers: Servers
) -> None:
    assert servers.dsn is not None
    name = f"closed_{os.getpid()}"
    async with fresh_database(servers, name) as dsn:
        live = at(settings, dsn.get_secret_value())
        owner = await asyncpg.connect(servers.dsn.get_secret_value())
        await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await owner.close()
        with pytest.raises(RebuildError, match=f"cannot be asked whether it is the target: .*{name}"):
            await rebuild(live, Plan(settings, None, again=False, jobs=1), Watched())
    await rebuild(live, Plan(settings, None, again=False, jobs=1), Watched())


async def test_two_rebuilds_beside_live_traffic_and_one_in_another_order_are_equal(settings: Settings) -> None:
    await _live(settings, 2)
    async with feed(settings) as fed, running_sink(settings):
        await asyncio.gather(
            rebuilt(settings, "one", jobs=2),
            rebuilt(settings, "other", jobs=1),
            live_through(fed, 3),
            live_through(fed, 4),
        )
        await until(lambda: caught_up(settings), "the sink has read all")
    # Partition after partition, the last one first: sightings before events, and no two partitions mixed.
    backwards = in_schema(settings, "backwards")
    async with await postgres.pool(backwards, max_size=1) as pool, pool.acquire() as connection:
        await migrate(connection)
    for tp, identity in sorted((await identities(settings)).items(), reverse=True):
        reports: list[Report] = []
        await fill(backwards, {tp: identity.end}, lambda: None, reports.append)
        assert reports[-1].done
    for schema in ("one", "other"):
        await rebuilt(settings, schema)
    original = await archive(settings)
    for schema in ("one", "other", "backwards"):
        assert original.differences(await archive(settings, schema)) == [], schema


async def test_a_partition_that_has_come_to_its_end_is_not_read_on_while_others_are(settings: Settings) -> None:
    made = [event(number) for number in range(4_000)]
    async with feed(settings) as fed:
        await fed.events(made)
    async with await postgres.pool(in_schema(settings, "rebuilt"), max_size=1) as pool, pool.acquire() as connection:
        await migrate(connection)
        ends = {tp: found.end for tp, found in (await identities(settings)).items() if found.end}
        short = min(ends)
        ends[short] = 5
        await fill(in_schema(settings, "rebuilt"), ends, lambda: None, lambda _: None)
        stored = await stored_offsets(connection, settings.sink.group_id)
    taken = {tp: stored[tp].next_offset for tp in ends}
    # What came with it in one poll, of 32 records, is taken too.
    assert 5 <= taken.pop(short) < 40
    assert taken == {tp: end for tp, end in ends.items() if tp != short}


async def test_a_partition_at_its_end_is_read_although_the_record_that_is_checked_lies_before_it(
    settings: Settings,
) -> None:
    async with feed(settings) as fed:
        await fed.events(event(number) for number in range(40))
    tp, found = max((await identities(settings)).items(), key=lambda pair: pair[1].end)
    client = await kafka.consumer(settings, auto_offset_reset="none")
    try:
        client.assign([tp])
        reader = PartitionReader("g", {tp: found.end})
        reader.attach(client)
        reader.place({tp: StoredOffset(found.end, found.cluster_id, found.topic_id, 1)}, {tp: found})
        assert await reader.poll(0.1, 10) == []
        assert await client.position(tp) == found.end - 1
        assert await reader.has_read_all()
    finally:
        await kafka.stop_client(client)


async def test_reading_from_a_time_or_an_offset_takes_what_is_later(settings: Settings) -> None:
    early, late = [event(number) for number in range(40)], [event(number) for number in range(40, 80)]
    async with feed(settings) as fed:
        await fed.events(early)
        moment_ms = time.time_ns() // 1_000_000 + 1
        await until(lambda: _is_later(moment_ms), "a later millisecond")
        await fed.events(late)
        whole = fed.digest()
    since = Start("then", time_ms=moment_ms)
    await rebuilt(settings, "rebuilt", start=since)
    ids = {each.id for each in late}
    async with await postgres.pool(in_schema(settings, "rebuilt"), max_size=1) as pool:
        assert {row["id"].hex() for row in await pool.fetch("SELECT id FROM events")} == ids
        assert (await rebuilt(settings, "rebuilt", start=since)).records == 0, "the same start goes on"
        with pytest.raises(RebuildError, match=r"from then: leave --from out .* or add --again"):
            await rebuilt(settings, "rebuilt", start=BEGINNING)
        async with await postgres.pool(settings, max_size=1) as live, live.acquire() as connection:
            with pytest.raises(SwitchError, match="was read from then on, and lacks what was before"):
                await switch(connection, "public", "rebuilt", settings.sink.group_id, force=False)
        await rebuilt(settings, "rebuilt", start=BEGINNING, again=True)
        assert await archive_digest(pool) == whole
    found = await identities(settings)
    end = next(
        identity.end for tp, identity in found.items() if (tp.topic.endswith("events"), tp.partition) == (True, 0)
    )
    with pytest.raises(RebuildError, match=f"events/0 has offsets 0 to {end}, but {end + 1} is asked for"):
        await rebuilt(settings, "offsets", start=Start("o", offsets={("events", 0): end + 1}))
    await rebuilt(settings, "offsets", start=Start("o", offsets={("events", 0): end}))
    assert (await archive(settings, "offsets")).digest().events == 80 - end


async def _is_later(moment_ms: int) -> bool:
    return time.time_ns() // 1_000_000 > moment_ms


async def test_a_switch_under_live_traffic_mixes_nothing_and_can_be_taken_back(settings: Settings) -> None:
    """Relays have other numbers in the other archive: one row with a number of the wrong one breaks the digest."""
    stop = asyncio.Event()

    async def traffic(fed: Feed) -> None:
        number = 0
        while not stop.is_set():
            number += 20
            made = [event(100_000 + number + each) for each in range(20)]
            await fed.events(made)
            for relay in RELAYS:
                await fed.sightings(made, relay, number)

    async with feed(settings) as fed, running_sink(settings):
        await fed.events([event(1)])
        await fed.sightings([event(1)], RELAYS[0], 1)
        flowing = asyncio.create_task(traffic(fed))
        await until(lambda: fetchval(settings, "SELECT count(*) > 100 FROM events"), "more than 100 events")
        rebuilt_one = in_schema(settings, "rebuilt")
        async with await postgres.pool(rebuilt_one, max_size=1) as pool, pool.acquire() as connection:
            await migrate(connection)
            await connection.executemany("INSERT INTO relays (url) VALUES ($1)", [(url,) for url in reversed(RELAYS)])
        await rebuilt(settings, "rebuilt")
        async with await postgres.pool(settings, max_size=1) as pool, pool.acquire() as connection:
            group_id = settings.sink.group_id
            switched = await switch(connection, "public", "rebuilt", group_id, force=False)
            first = await connection.fetchval("SELECT url FROM relays ORDER BY id LIMIT 1")
            assert first == RELAYS[-1], "a prepared statement would find the old tables"
            seen = await connection.fetchval("SELECT count(*) FROM events")
            await until(lambda: fetchval(settings, "SELECT count(*) > $1 FROM events", seen + 100), "100 more events")
            with pytest.raises(SwitchError, match="no schema rebuilt"):
                await switch(connection, "public", "rebuilt", group_id, force=False)
            back = await switch(connection, "public", switched.kept, group_id, force=True)
            assert await connection.fetchval("SELECT url FROM relays ORDER BY id LIMIT 1") == RELAYS[0]
            await until(lambda: fetchval(settings, "SELECT count(*) > $1 FROM events", seen + 200), "200 more events")
            await switch(connection, "public", back.kept, group_id, force=True)
            stop.set()
            await flowing
            await until(lambda: caught_up(settings), "the sink has read all")
        assert (await archive(settings)).digest() == fed.digest()


async def test_a_batch_whose_relays_were_looked_up_in_other_tables_is_not_written(settings: Settings) -> None:
    """Also where the offsets are the same in both archives, as after a rebuild of what stood still."""
    tp = TopicPartition("sightings", 0)
    identity = {tp: TopicIdentity("cluster", None, 0, 9)}
    other = in_schema(settings, "rebuilt")
    async with await postgres.pool(other, max_size=1) as pool, pool.acquire() as connection:
        await migrate(connection)
        await connection.execute("INSERT INTO relays (url) SELECT unnest($1::text[])", [RELAYS[1], RELAYS[0]])
        await begin_offsets(connection, "group", identity)
    async with await postgres.pool(settings, max_size=1) as pool, pool.acquire() as connection:
        await begin_offsets(connection, "group", identity)
        writer = Writer("group")
        await writer.write(connection, _batch(tp, 0, RELAYS[:2]))
        await connection.execute("UPDATE rebuilt.sink_offsets SET next_offset = 1")
        await switch(connection, "public", "rebuilt", "group", force=False)
        with pytest.raises(OffsetsMovedError, match="other tables"):
            await writer.write(connection, _batch(tp, 1, RELAYS[:1]))
        writer.forget()
        await writer.write(connection, _batch(tp, 1, RELAYS[:1]))
        assert await connection.fetchval("SELECT relay FROM event_sightings") == RELAYS[0]


def _batch(tp: TopicPartition, offset: int, relays: list[str]) -> Batch:
    """One record, which says that relays have an event."""
    value = sighting.encode([Sighting(relay, 1, [("ab" * 32, 1)]) for relay in relays])
    record: Record = ConsumerRecord(tp.topic, tp.partition, offset, 1, 0, None, value, None, 0, len(value), ())
    batch = Batch(0)
    batch.add(tp, offset, [record], SIGHTINGS)
    return batch


async def test_a_switch_needs_a_whole_archive_and_keeps_grants(settings: Settings) -> None:
    await _live(settings, 5)
    role = f"reader_{os.getpid()}"
    async with await postgres.pool(settings, max_size=1) as pool, pool.acquire() as connection:
        group_id = settings.sink.group_id
        await connection.execute(f"CREATE ROLE {role}")
        await connection.execute(f"GRANT SELECT ON events TO {role}; GRANT USAGE ON SCHEMA public TO {role}")
        try:
            await connection.execute("CREATE SCHEMA empty")
            with pytest.raises(SwitchError, match=r"schema empty: .* run `bigbrotr migrate`"):
                await switch(connection, "public", "empty", group_id, force=False)
            async with await postgres.pool(in_schema(settings, "empty"), max_size=1) as one, one.acquire() as there:
                await migrate(there)
                await there.execute("INSERT INTO rebuilds (group_id, began_from) VALUES ($1, 'beginning')", group_id)
            with pytest.raises(SwitchError, match="did not come to its end"):
                await switch(connection, "public", "empty", group_id, force=False)
            await rebuilt(settings, "empty")
            assert (await switch(connection, "public", "empty", group_id, force=False)).behind == 0
            await connection.execute(f"SET ROLE {role}")
            assert await connection.fetchval("SELECT count(*) FROM events")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval("SELECT count(*) FROM relays")
        finally:
            await connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
