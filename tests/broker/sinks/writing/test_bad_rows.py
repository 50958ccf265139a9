"""Records that the database refuses are set apart, whatever they hold; a database in trouble blames no record."""

from __future__ import annotations

import pytest

from core import metrics
from core.archive.connection import Pool
from core.settings import Settings
from schemas.records import sighting
from schemas.records.coverage import Coverage, FilterCoverage
from schemas.records.sighting import Sighting
from sinks.integrity.digest import archive_digest
from tests.broker.sinks.material import event, feed, running_sink
from tests.broker.sinks.writing.test_archive import read_rejections
from tests.waiting import until

pytestmark = pytest.mark.broker

RULES = """
ALTER TABLE events ADD CONSTRAINT no_sevens CHECK (kind <> 7);
ALTER TABLE sightings ADD CONSTRAINT no_thirteens CHECK (NOT 13 = ANY (seen_ats_ms));
ALTER TABLE relays ADD CONSTRAINT no_unknown CHECK (url NOT LIKE '%unknown%');
ALTER TABLE coverage_ranges ADD CONSTRAINT no_elevens CHECK (since_s <> 11);
"""
TROUBLE = """
CREATE TABLE trouble (code text);
CREATE FUNCTION be_in_trouble() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE code text := (SELECT code FROM trouble);
BEGIN
    IF code IS NOT NULL THEN RAISE EXCEPTION 'trouble' USING ERRCODE = code; END IF;
    RETURN new;
END $$;
CREATE TRIGGER trouble BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION be_in_trouble();
"""


async def test_bad_records_of_every_kind_in_one_batch_cost_nothing_but_themselves(
    settings: Settings, pool: Pool
) -> None:
    await pool.execute(RULES)
    good = [event(number) for number in range(60)]
    async with feed(settings) as fed:
        await fed.events(good)
        await fed.sightings(good, "wss://a.example", 5)
        expected = fed.digest()
        await fed.events(event(number, kind=7) for number in range(100, 110))
        await fed.raw("sightings", 0, sightings("wss://b.example", 13))
        await fed.raw("sightings", 1, sightings("wss://unknown.example", 14))
        for relay, since in (("wss://a.example", 10), ("wss://b.example", 11), ("wss://unknown.example", 10)):
            covered = FilterCoverage(filter="f", read=[(since, 20, 30)])
            record = Coverage(relay=relay, sets=[covered], updated_at_ms=1)
            await fed.raw("coverage", 0, record.encode(), relay.encode())
        one_batch = settings.sink.model_copy(update={"batch_events": 70, "batch_age_ms": 5000})
        async with running_sink(settings.model_copy(update={"sink": one_batch})):

            async def complete() -> object:
                return await pool.fetchval(
                    "SELECT (SELECT count(*) = 60 FROM events) AND (SELECT count(*) = 60 FROM event_sightings)"
                    " AND (SELECT count(*) = 1 FROM coverage_ranges)"
                )

            await until(complete, "the archive holds everything")
    assert await archive_digest(pool) == expected
    assert await pool.fetchval("SELECT array_agg(url) FROM relays") == ["wss://a.example"]
    rules = [rule for headers, _ in await read_rejections(settings) for rule in names() if rule in str(headers.detail)]
    assert sorted(rules) == ["no_elevens", *["no_sevens"] * 10, "no_thirteens", "no_unknown", "no_unknown"]
    assert not any("\n" in str(headers.detail) for headers, _ in await read_rejections(settings))


async def test_a_database_in_trouble_is_waited_for_and_blames_no_record(settings: Settings, pool: Pool) -> None:
    await pool.execute(TROUBLE)
    async with feed(settings) as fed, running_sink(settings):
        await fed.events(event(number) for number in range(5))
        await pool.execute("INSERT INTO trouble VALUES ('53100')")
        await fed.events(event(number) for number in range(5, 50))
        # Disk full, too many connections, a serialization failure, a deadlock, and a shutdown by the operator.
        for code in ("53100", "53300", "40001", "40P01", "57P01"):
            await pool.execute("UPDATE trouble SET code = $1", code)
            tried = metrics.values()["bigbrotr_batch_retries_total"]

            async def again(tried: float = tried) -> object:
                return metrics.values()["bigbrotr_batch_retries_total"] > tried

            await until(again, "another try of the batch")
        await pool.execute("DELETE FROM trouble")

        async def complete() -> object:
            return await archive_digest(pool) == fed.digest()

        await until(complete, "the archive holds everything")
    assert await read_rejections(settings) == []


def sightings(relay: str, seen_at_ms: int) -> bytes:
    """A record of `sightings` for an event that is not archived."""
    return sighting.encode([Sighting(relay, seen_at_ms, [("ab" * 32, 5)])])


def names() -> list[str]:
    """The rules, by their names."""
    return [line.split(" CONSTRAINT ")[1].split()[0] for line in RULES.strip().splitlines()]
