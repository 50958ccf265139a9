"""A record that takes too long by itself is set apart, what a slow or locked database holds up is not."""

from __future__ import annotations

import pytest

from core import kafka, metrics
from core.archive.connection import Pool
from core.postgres import pool as open_pool
from core.settings import Settings
from schemas.records import sighting
from schemas.records.coverage import Coverage, FilterCoverage
from schemas.records.erasure import Cause, Erasure
from schemas.records.sighting import Sighting
from sinks.erasure import open_erasures
from sinks.integrity.digest import archive_digest
from tests.broker.sinks.forgetting import Scribe
from tests.broker.sinks.material import event, feed, has_read_all, running_sink
from tests.broker.sinks.writing.test_archive import read_rejections
from tests.waiting import until

pytestmark = pytest.mark.broker

SLOW = """
CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN new; END $$;
CREATE TRIGGER slow BEFORE INSERT ON events FOR EACH ROW WHEN (new.kind = 7) EXECUTE FUNCTION take_long();
CREATE TRIGGER slow BEFORE INSERT ON sightings FOR EACH ROW WHEN (13 = ANY (new.seen_ats_ms))
    EXECUTE FUNCTION take_long();
CREATE TRIGGER slow BEFORE INSERT ON coverage_ranges FOR EACH ROW WHEN (new.since_s = 11) EXECUTE FUNCTION take_long();
"""
SLOW_FOR_ALL = """
CREATE TABLE slow (s double precision);
CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep((SELECT s FROM slow)); RETURN new; END $$;
CREATE TRIGGER slow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION take_long();
"""
SLOW_TO_DELETE = """
CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN old; END $$;
CREATE TRIGGER slow BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION take_long();
"""


def impatient(settings: Settings, limit_s: float = 1.0) -> Settings:
    """Settings under which a statement may take so long, and few batches hold all."""
    postgres = settings.postgres.model_copy(update={"command_timeout_s": limit_s})
    sink = settings.sink.model_copy(update={"batch_age_ms": 1000})
    return settings.model_copy(update={"postgres": postgres, "sink": sink})


async def tries(more: int) -> None:
    """Wait until writing was tried so many times more, in vain."""
    before = metrics.values()["bigbrotr_batch_retries_total"]

    async def tried() -> object:
        return metrics.values()["bigbrotr_batch_retries_total"] >= before + more

    await until(tried, f"{more} more tries", 120)


async def test_records_that_take_too_long_are_set_apart_and_all_others_are_written(
    settings: Settings, pool: Pool
) -> None:
    await pool.execute(SLOW)
    good = [event(number) for number in range(60)]
    async with feed(settings) as fed:
        await fed.events(good[:30])
        await fed.sightings(good[:30], "wss://a.example", 5)
        await fed.raw("sightings", 0, sighting.encode([Sighting("wss://b.example", 13, [("ab" * 32, 5)])]))
        await fed.raw("coverage", 0, coverage("wss://b.example", 11), b"wss://b.example")
        await fed.events(good[30:])
        await fed.sightings(good[30:], "wss://a.example", 5)
        await fed.raw("coverage", 0, coverage("wss://a.example", 10), b"wss://a.example")
        expected = fed.digest()
        await fed.events([event(100, kind=7)])
        async with running_sink(impatient(settings)):
            await until(lambda: has_read_all(settings, pool), "the sink has read all", 300)
    assert await archive_digest(pool) == expected
    assert await pool.fetchval("SELECT array_agg(since_s) FROM coverage_ranges") == [10]
    rejected = [headers for headers, _ in await read_rejections(settings)]
    assert sorted((each.source_topic or "").rpartition(".")[2] for each in rejected) == [
        "coverage", "events", "sightings"
    ]  # fmt: skip
    assert all("timed out 3 times" in str(each.detail) for each in rejected)


async def test_a_database_that_is_slow_for_all_records_blames_none(settings: Settings, pool: Pool) -> None:
    await pool.execute(SLOW_FOR_ALL + "INSERT INTO slow VALUES (60)")
    async with feed(settings) as fed, running_sink(impatient(settings, 0.5)):
        await fed.events([event(1)])
        await tries(8)
        # Within the limit, but slow all the same.
        await pool.execute("UPDATE slow SET s = 0.4")
        await until(lambda: has_read_all(settings, pool), "the sink has read all", 60)
        expected = fed.digest()
    assert await archive_digest(pool) == expected
    assert await read_rejections(settings) == []


@pytest.mark.parametrize("table", ["events", "partition"])
async def test_a_locked_table_blames_no_record(settings: Settings, pool: Pool, table: str) -> None:
    async with feed(settings) as fed, running_sink(impatient(settings)):
        await fed.events([event(1)])
        await until(lambda: has_read_all(settings, pool), "the first event", 60)
        month = await pool.fetchval("SELECT tableoid::regclass::text FROM events")
        async with pool.acquire() as other, other.transaction():
            await other.execute(f"LOCK TABLE {month if table == 'partition' else table} IN SHARE MODE")
            await fed.events([event(2)])
            await tries(8)
        await until(lambda: has_read_all(settings, pool), "the sink has read all", 60)
        expected = fed.digest()
    assert await archive_digest(pool) == expected
    assert await read_rejections(settings) == []


async def test_erasing_that_takes_too_long_goes_on_with_fewer_at_a_time(settings: Settings, pool: Pool) -> None:
    events = [event(number) for number in range(60)]
    async with pool.acquire() as connection:
        scribe = Scribe(connection)
        await scribe.begin()
        await scribe.write(events, "wss://relay.example")
    await pool.execute(SLOW_TO_DELETE)
    publisher = await kafka.open_publisher(settings)
    limited = await open_pool(impatient(settings))
    try:
        eraser = (await open_erasures(settings, limited, publisher)).eraser
        by_id = [Erasure(id=each.id, cause=Cause.OPERATOR, erased_at_ms=1) for each in events[:50]]
        by_author = [
            Erasure(pubkey=each.pubkey, until_s=each.created_at, cause=Cause.LAW, erased_at_ms=1)
            for each in events[50:]
        ]
        await eraser.apply([*by_id, *by_author])
        assert await pool.fetchval("SELECT count(*) FROM events") == 0
        assert await pool.fetchval("SELECT count(*) FROM erased_ids") == 60
    finally:
        limited.terminate()
        await publisher.close()


def coverage(relay: str, since_s: int) -> bytes:
    """A record of `coverage` with one range."""
    covered = FilterCoverage(filter="f", read=[(since_s, 20, 30)])
    return Coverage(relay=relay, sets=[covered], updated_at_ms=1).encode()
