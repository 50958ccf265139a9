"""A database that refuses most of what comes stops the sink: nothing is skipped, and nothing drained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.archive.connection import Pool
from core.settings import Settings
from producers.rejected.reading import read, stretch
from producers.rejected.records import Selection
from producers.rejected.replay import replay
from schemas.nostr.event import Event
from schemas.partition import event_partition
from sinks.writing.rejection_breaker import StormError
from tests.broker.sinks.material import event, feed, running_sink
from tests.broker.sinks.writing.test_archive import read_rejections
from tests.broker.sinks.writing.test_positions import run_sink_until_it_ends
from tests.waiting import until

pytestmark = pytest.mark.broker

MOST = 50


def with_sink(settings: Settings, **changes: object) -> Settings:
    changes = {"storm_inputs": 2 * MOST, **changes}
    return settings.model_copy(update={"sink": settings.sink.model_copy(update=changes)})


def in_one_partition(first: int, count: int, partitions: int) -> Iterator[Event]:
    """Events of a kind that the test's database refuses, all of partition 0."""
    while count:
        made = event(first, kind=7)
        if event_partition(made.id, partitions) == 0:
            count -= 1
            yield made
        first += 1


async def test_a_storm_stops_the_sink_and_after_the_mend_every_row_arrives(settings: Settings, pool: Pool) -> None:
    good = [event(number) for number in range(100)]
    bad = list(in_one_partition(1000, 300, settings.kafka.partitions))
    await pool.execute("ALTER TABLE events ADD CONSTRAINT no_sevens CHECK (kind <> 7)")
    async with feed(settings) as fed:
        await fed.events(good)
        async with running_sink(with_sink(settings)):
            await until(lambda: holds(pool, len(good)), "the good events")
        await fed.events(bad)
    before = await positions(pool)

    # All in one batch: it is a storm as a whole.
    with pytest.raises(StormError, match="no_sevens") as caught:
        await run_sink_until_it_ends(with_sink(settings, batch_events=len(bad), batch_age_ms=60_000))
    assert "sink.storm_share" in str(caught.value)
    assert await positions(pool) == before
    assert await read_rejections(settings) == []

    # In small ones, with as many starts as somebody likes to make: the last before the storm count.
    for _ in range(3):
        with pytest.raises(StormError):
            await run_sink_until_it_ends(with_sink(settings, batch_events=1))
        refused = len(await read_rejections(settings))
        assert 0 < refused <= MOST
        assert await positions(pool) == before + refused
        assert await holds(pool, len(good))

    await pool.execute("ALTER TABLE events DROP CONSTRAINT no_sevens")
    async with running_sink(with_sink(settings)):
        await until(lambda: holds(pool, len(good) + len(bad) - refused), "all but the refused ones")
        wanted = Selection(stages=frozenset({"sink"}))
        found = read(settings, wanted, await stretch(settings, wanted))
        report = await replay(settings, found, progress=lambda _report: None)
        assert report.sent == refused
        await until(lambda: holds(pool, len(good) + len(bad)), "every event")


async def holds(pool: Pool, events: int) -> object:
    """Whether the archive has so many events."""
    return await pool.fetchval("SELECT count(*) = $1 FROM events", events)


async def positions(pool: Pool) -> int:
    """How many records the sink has taken."""
    taken: int = await pool.fetchval("SELECT sum(next_offset) FROM sink_offsets")
    return taken
