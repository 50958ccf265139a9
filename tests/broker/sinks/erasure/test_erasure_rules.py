"""The archive's tables and the processor's index say the same of every rule, before and after events arrive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from core import kafka
from core.archive.connection import Connection, Pool
from core.settings import Settings
from schemas.nostr.event import Event
from schemas.records.erasure import Cause, Erasure, Erasures
from sinks.erasure import ErasedError, Eraser, open_erasures
from sinks.erasure.rules import Rules, store_if_done
from tests.broker.sinks.forgetting import KEYS, PLACES, SPAN_S, Scribe, made, world
from tests.broker.sinks.material import START_S
from tests.waiting import until

pytestmark = pytest.mark.broker

DERIVED = ("deletions_by_id", "deletions_by_address", "vanish_requests", "expirations", "nul_tags")
RULES = ("erased_ids", "erased_author_ids", "erased_addresses", "erased_authors")


@pytest.fixture
async def eraser(settings: Settings, pool: Pool) -> AsyncIterator[Eraser]:
    publisher = await kafka.open_publisher(settings)
    yield (await open_erasures(settings, pool, publisher)).eraser
    await publisher.close()


def rules_about(events: list[Event], rng: random.Random) -> list[Erasure]:
    """Rules of every form, some about events that were never seen."""

    def until() -> int:
        return START_S + rng.randrange(SPAN_S)

    some = [each.id for each in rng.sample(events, 12)] + [rng.randbytes(32).hex()]
    rules = [Erasure(id=each, cause=Cause.OPERATOR, erased_at_ms=1) for each in some[:4]]
    rules += [Erasure(id=each, pubkey=rng.choice(KEYS), cause=Cause.DELETION, erased_at_ms=1) for each in some[4:]]
    rules += [
        Erasure(address=f"30023:{key}:{place}", until_s=until(), cause=Cause.DELETION, erased_at_ms=1)
        for key, place in ((rng.choice(KEYS), rng.choice(PLACES)) for _ in range(5))
    ]
    rules.append(Erasure(address=f"0:{KEYS[2]}:", until_s=until(), cause=Cause.DELETION, erased_at_ms=1))
    # Few of the authors' events, and to the second: a bound that is off by one must show.
    oldest = sorted(events, key=lambda each: each.created_at)[: len(events) // 3]
    wraps = [each for each in oldest if each.kind == 1059 and each.tags]
    for cause, some_events in ((Cause.OPERATOR, oldest), (Cause.LAW, oldest), (Cause.VANISH, wraps)):
        bound = rng.choice(some_events)
        for_whom = [tag[1] for tag in bound.tags if tag[:1] == ["p"] and tag[1] in KEYS] or [bound.pubkey]
        rules.append(Erasure(pubkey=for_whom[0], until_s=bound.created_at, cause=cause, erased_at_ms=1))
    return rules


async def empty(connection: Connection, *tables: str) -> None:
    """Quicker than TRUNCATE, which makes new files for each of the months."""
    await connection.execute("".join(f"DELETE FROM {table};" for table in tables))


async def test_rules_cover_the_same_before_and_after_their_events(eraser: Eraser, pool: Pool) -> None:
    rng = random.Random(5)
    causes: set[Cause | None] = set()
    for seed in range(5):
        events = world(seed, 120)
        rules = rules_about(events, rng)
        index = Erasures()
        for rule in rules:
            index.add(rule)
        gone = {bytes.fromhex(each.id) for each in events if index.covers(each) is not None}
        kept = {bytes.fromhex(each.id) for each in events} - gone
        causes |= {index.covers(each) for each in events}
        async with pool.acquire() as connection:
            await empty(connection, "events", "sightings", *DERIVED, *RULES, "sink_offsets")
            scribe = Scribe(connection)
            await scribe.begin()
            await scribe.write(events, "wss://relay.example")
            rng.shuffle(rules)
            for first in range(0, len(rules), 7):
                await eraser.apply(rules[first : first + 7])
            for table in ("events", "sightings"):
                assert {row["id"] for row in await connection.fetch(f"SELECT id FROM {table}")} == kept
            for table in DERIVED:
                owner = "request_id" if "request" in table or "deletions" in table else "id"
                left = await connection.fetch(f"SELECT DISTINCT {owner} FROM {table}")
                assert {row[owner] for row in left} <= kept, table
            assert gone <= {row["id"] for row in await connection.fetch("SELECT id FROM erased_ids")}

            # The same rules before the same events. That ids are known by now must not be what keeps them out.
            await empty(connection, "events", "sightings", "erased_ids", "sink_offsets")
            await eraser.apply([rule for rule in rules if rule.id is not None and rule.pubkey is None])
            late = Scribe(connection)
            await late.begin()
            with pytest.raises(ErasedError) as refused:
                await late.write(events)
            assert {*refused.value.ids, *(each.id for each in refused.value.found)} == gone
            assert await connection.fetchval("SELECT count(*) FROM events") == 0
    assert causes == {None, Cause.OPERATOR, Cause.LAW, Cause.VANISH, Cause.DELETION}


async def test_a_rule_that_tells_a_wrong_date_erases_all_the_same(eraser: Eraser, pool: Pool) -> None:
    note = made(random.Random(1), 1, [], pubkey=KEYS[0], at=START_S)
    async with pool.acquire() as connection:
        scribe = Scribe(connection)
        await scribe.begin()
        await scribe.write([note], "wss://relay.example")
        rule = Erasure(id=note.id, created_at=START_S + 1, cause=Cause.OPERATOR, erased_at_ms=1)
        await eraser.apply([rule])
        for table in ("events", "sightings"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


AUTHOR_RULE = Erasure(pubkey=KEYS[0], until_s=START_S + SPAN_S, cause=Cause.OPERATOR, erased_at_ms=1)


async def somebody_waits_for_a_lock(connection: Connection) -> None:
    async def waits() -> object:
        return await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )

    await until(waits, "a wait for a lock")


async def test_a_rule_waits_for_the_batches_under_way_and_takes_what_they_wrote(eraser: Eraser, pool: Pool) -> None:
    note = made(random.Random(1), 1, [], pubkey=KEYS[0], at=START_S)
    async with pool.acquire() as connection, pool.acquire() as watcher:
        scribe = Scribe(connection)
        await scribe.begin()
        async with connection.transaction():
            await scribe.write([note], "wss://relay.example")
            applying = asyncio.create_task(eraser.apply([AUTHOR_RULE]))
            await somebody_waits_for_a_lock(watcher)
            # It has looked for events of the author by now, and found none.
            assert await watcher.fetchval("SELECT count(*) FROM erased_authors") == 0
        await applying
        for table in ("events", "sightings"):
            assert await watcher.fetchval(f"SELECT count(*) FROM {table}") == 0
        assert await watcher.fetchval("SELECT count(*) FROM erased_authors") == 1


async def test_a_batch_waits_for_the_rule_that_is_being_applied_and_obeys_it(eraser: Eraser, pool: Pool) -> None:
    note = made(random.Random(1), 1, [], pubkey=KEYS[0], at=START_S)
    async with pool.acquire() as connection, pool.acquire() as other, pool.acquire() as watcher:
        scribe = Scribe(connection)
        await scribe.begin()
        async with other.transaction():
            assert await store_if_done(other, Rules.of([AUTHOR_RULE]))
            writing = asyncio.create_task(scribe.write([note]))
            await somebody_waits_for_a_lock(watcher)
        with pytest.raises(ErasedError):
            await writing
        assert await watcher.fetchval("SELECT count(*) FROM events") == 0
