"""What is erased never comes back: sent again, read again from the beginning, by two sinks, or never seen before."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import pytest

from core import kafka, metrics
from core.archive.connection import Pool
from core.kafka import end_offsets, read_to_end
from core.settings import PolicySettings, PostgresSettings, Settings
from schemas.digest import Digest
from schemas.nostr.event import Event
from schemas.records.erasure import Cause, Erasure, Erasures
from schemas.topics import physical
from sinks.archive_lock import ARCHIVE_LOCK
from sinks.integrity.digest import archive_digest
from sinks.migrate import migrate
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.forgetting import KEYS, made
from tests.broker.sinks.material import START_S, all_read, feed, running_sink
from tests.broker.sinks.writing.test_groups import member
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

RELAY = "wss://relay.example"
NOW_S = START_S + 100


class World(NamedTuple):
    """Events, the rules that erase some of them, and those that must be left. `expired` go without a rule."""

    events: list[Event]
    rules: list[Erasure]
    expired: set[str]

    def kept(self) -> list[Event]:
        index = Erasures()
        for rule in self.rules:
            index.add(rule)
        return [each for each in self.events if index.covers(each) is None and each.id not in self.expired]

    def digest(self) -> Digest:
        """What the archive's digest must be: as if the others had never been."""
        digest = Digest()
        for each in self.kept():
            digest.add_event(each.id)
            digest.add_pair(each.id, RELAY)
        return digest


def world(seed: int, size: int = 8) -> World:
    """For each form of rule some events that it covers, and their neighbours that it does not."""
    rng = random.Random(seed)
    operator, vanished, author = KEYS
    alone = [made(rng, 1, [], pubkey=author, at=NOW_S) for _ in range(size)]
    notes = [made(rng, 1, [], pubkey=operator, at=START_S + n) for n in range(2 * size)]
    private = [made(rng, 1059, [["p", vanished]], pubkey=rng.randbytes(32).hex(), at=START_S + n) for n in range(size)]
    theirs = [made(rng, kind, [], pubkey=vanished, at=START_S + 1) for kind in (1, 5, 62, 0)]
    articles = [made(rng, 30023, [["d", "x"]], pubkey=author, at=START_S + n) for n in range(size)]
    articles += [made(rng, 30023, [["d", "y"]], pubkey=author, at=START_S)]
    short = [made(rng, 1, [["expiration", "100"]], pubkey=author, at=NOW_S) for _ in range(size)]
    rules = [
        Erasure(id=alone[0].id, cause=Cause.OPERATOR, erased_at_ms=1),
        Erasure(id=alone[1].id, pubkey=author, cause=Cause.DELETION, erased_at_ms=1),
        Erasure(id=alone[2].id, pubkey=operator, cause=Cause.DELETION, erased_at_ms=1),
        Erasure(pubkey=operator, until_s=START_S + size, cause=Cause.LAW, erased_at_ms=1),
        Erasure(pubkey=vanished, until_s=START_S + size // 2, cause=Cause.VANISH, erased_at_ms=1),
        Erasure(address=f"30023:{author}:x", until_s=START_S + size // 2, cause=Cause.DELETION, erased_at_ms=1),
    ]
    events = alone + notes + private + theirs + articles + short
    rng.shuffle(events)
    return World(events, rules, {each.id for each in short})


@pytest.fixture
def erasing(settings: Settings) -> Settings:
    return settings.model_copy(update={"policy": PolicySettings(expiration="erase")})


async def publish(settings: Settings, rules: Iterable[Erasure]) -> None:
    """Write rules to the topic `erasures`; returns once they are acknowledged."""
    publisher = await kafka.open_publisher(settings)
    topic = physical(settings.kafka.topic_prefix, "erasures")
    for rule in rules:
        await (await publisher.send(topic, rule.encode(), rule.key(), rule.partition(settings.kafka.partitions)))
    await publisher.close()


async def holds(pool: Pool, expected: Digest) -> None:
    """Wait until the archive has exactly what it must have."""

    async def complete() -> bool:
        return await archive_digest(pool) == expected

    await until(complete, "the archive holds everything")


@asynccontextmanager
async def another_archive(servers: Servers, settings: Settings, name: str) -> AsyncIterator[tuple[Settings, Pool]]:
    """An empty database, and a group that reads everything into it from the beginning."""
    async with fresh_database(servers, name) as dsn, asyncpg.create_pool(dsn.get_secret_value(), min_size=1) as pool:
        async with pool.acquire() as connection:
            await migrate(connection)
        changed = {"postgres": PostgresSettings(dsn=dsn), "sink": settings.sink.model_copy(update={"group_id": name})}
        yield settings.model_copy(update=changed), pool


async def records_left(settings: Settings) -> set[str]:
    """Ids of the events that the topic has after compaction."""
    topic = physical(settings.kafka.topic_prefix, "events")
    return {key.hex() for key in await read_to_end(settings, topic, range(settings.kafka.partitions))}


async def test_erased_stays_erased(erasing: Settings, pool: Pool, servers: Servers) -> None:
    made_up = world(1)
    half = len(made_up.events) // 2
    early, late = made_up.events[:half], made_up.events[half:]
    async with feed(erasing) as fed, AsyncExitStack() as sinks:
        # Two that both read everything, so that each meets what the other has erased.
        second = erasing.model_copy(update={"sink": erasing.sink.model_copy(update={"group_id": "second"})})
        for each in (erasing, second):
            await sinks.enter_async_context(running_sink(each))
        # Sightings of all, events of half: the others are erased before they were ever seen.
        await fed.sightings(made_up.events, RELAY, 1)
        await fed.events(early)
        await all_read(erasing, pool)
        await publish(erasing, made_up.rules)
        await fed.events(late)
        await all_read(erasing, pool)
        await all_read(second, pool)
        await holds(pool, made_up.digest())
        assert await records_left(erasing) == {each.id for each in made_up.kept()}
        # A relay sends everything again, and the sinks read it although no processor would have let it through.
        before = metrics.values()
        await fed.events(made_up.events)
        await fed.sightings(made_up.events, RELAY, 2)
        await all_read(erasing, pool)
        await all_read(second, pool)
        await holds(pool, made_up.digest())
        after = metrics.values()
        refused = after["bigbrotr_refused_erased_total"] - before["bigbrotr_refused_erased_total"]
        assert refused >= 2 * (len(made_up.events) - len(made_up.kept())), "by each sink"
        assert after.get("bigbrotr_rejected_total") == before.get("bigbrotr_rejected_total")
    # The last word on each erased event is a tombstone again.
    assert await records_left(erasing) == {each.id for each in made_up.kept()}
    async with another_archive(servers, erasing, "erased_replay") as (again, replayed), running_sink(again):
        await all_read(again, replayed)
        await holds(replayed, made_up.digest())
        for table in ("erased_author_ids", "erased_addresses", "erased_authors"):
            query = f"SELECT * FROM {table} ORDER BY 1, 2"
            assert await replayed.fetch(query) == await pool.fetch(query)


async def test_a_sink_that_is_killed_while_it_erases_leaves_nothing_half_erased(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    rng = random.Random(9)
    notes = [made(rng, 1, [], pubkey=KEYS[0], at=START_S + n) for n in range(800)]
    others = [made(rng, 1, [], pubkey=KEYS[1], at=START_S + n) for n in range(50)]
    rule = Erasure(pubkey=KEYS[0], until_s=START_S + 699, cause=Cause.OPERATOR, erased_at_ms=1)
    made_up = World(notes + others, [rule], set())
    topic = physical(settings.kafka.topic_prefix, "erasures")
    async with feed(settings) as fed:
        await fed.events(made_up.events)
        await fed.sightings(made_up.events, RELAY, 1)
        async with member(settings, tmp_path / "first") as first:
            await all_read(settings, pool)
            # A batch that is under way holds the deleting up, not the publishing.
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock_shared(" + ARCHIVE_LOCK % "'events'" + ")")
                await publish(settings, [rule])

                async def announced() -> bool:
                    return sum((await end_offsets(settings, [topic])).values()) > 1

                await until(announced, "the rule stands in the topic")
                os.kill(first.pid, signal.SIGKILL)
                assert await pool.fetchval("SELECT count(*) FROM events") == len(made_up.events)
        # As another group, which need not wait until the dead member is missed.
        again = settings.model_copy(update={"sink": settings.sink.model_copy(update={"group_id": "again"})})
        async with running_sink(again):
            await all_read(again, pool)
            await holds(pool, made_up.digest())
    assert await records_left(settings) == {each.id for each in made_up.kept()}


async def test_flags_lose_nothing(settings: Settings, pool: Pool) -> None:
    made_up = world(3)
    requests = [
        made(random.Random(4), 5, [["e", each.id] for each in made_up.events], pubkey=KEYS[2], at=NOW_S),
        made(random.Random(5), 62, [["relay", "ALL_RELAYS"]], pubkey=KEYS[0], at=NOW_S),
    ]
    async with feed(settings) as fed, running_sink(settings):
        await fed.events(made_up.events + requests)
        await fed.sightings(made_up.events, RELAY, 1)
        await all_read(settings, pool)
        assert await archive_digest(pool) == fed.digest()
        assert await pool.fetchval("SELECT count(*) FROM visible_events") < len(made_up.events) / 2
