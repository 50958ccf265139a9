"""The registry of relays as rows: the last record of each relay, whatever is read again and by whom."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import orjson
import pytest

from core.archive.connection import Connection, Pool
from core.archive.schema import SchemaError
from core.settings import PostgresSettings, Settings
from schemas.partition import relay_partition
from schemas.records.relay import RelayRecord, Report, StateChange
from schemas.records.relay_command import RelayCommand
from schemas.relay_urls.relay_url import normalize
from sinks.integrity.audit import audit
from sinks.integrity.audit_report import Scope
from sinks.integrity.digest import digests
from sinks.migrate import migrate, migrations
from sinks.tables.topic_tables import registry
from sinks.tables.topic_tables.registry import Entry
from sinks.tables.topic_tables.registry_row import registry_row
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.material import Feed, all_read, event, feed, running_sink
from tests.broker.sinks.rebuilding import in_schema, rebuilt

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

RELAYS = [f"wss://{name}.example" for name in "abcdefgh"]
QUERIES = Path(__file__).parents[4] / "docs/how-to/query.md"
PUBLISHED = b'{"url":"wss://old.example","network":"clearnet","source":"publish","updated_at_ms":7}'
"""As it was written before there was a registry."""
Rows = dict[str, dict[str, object]]


def some_record(rng: random.Random, url: str) -> RelayRecord:
    """What a registry could say of a relay, now with this and now without."""
    at_ms = rng.randrange(1000)
    state = rng.choice(["candidate", "confirmed", "silent", "refused", "denied"])
    command = RelayCommand(target=url, action="deny", reason="a\0b", at_ms=at_ms)
    return RelayRecord(
        url=url,
        network="clearnet",
        spelling=rng.choice([None, url.upper()]),
        source="event",
        sources=tuple(rng.sample(["api", "event", "operator", "seed"], rng.randrange(1, 4))),
        first_seen_ms=rng.choice([None, at_ms]),
        state=state,
        lane=rng.choice(["regular", "priority", "ignored"]),
        allowed=state != "denied",
        duplicate_of=rng.choice([None, *RELAYS]),
        admitted_at_ms=rng.choice([None, at_ms, 2**70]),
        authors=tuple(f"{number:016x}" for number in range(rng.randrange(8))),
        places=tuple(rng.sample(["10002 r", '3 "content"', "{}", "a,b"], rng.randrange(4))),
        command=rng.choice([None, command]),
        report=rng.choice([None, Report(state="silent", tries=at_ms, detail="é", at_ms=at_ms)]),
        history=tuple(StateChange(state=state, at_ms=at) for at in range(rng.randrange(3))),
        updated_at_ms=at_ms,
    )


def some_entries(rng: random.Random, count: int) -> list[Entry]:
    """Records and tombstones in the order of their topic; each relay ends with a record or a tombstone."""
    urls = rng.choices(RELAYS, k=count)
    return [Entry(url, None if rng.random() < 0.2 else some_record(rng, url)) for url in urls]


def expected(entries: Sequence[Entry]) -> Rows:
    newest = {entry.url: entry.record for entry in entries}
    return {url: registry_row(record) for url, record in newest.items() if record is not None}


async def rows(connection: Connection | Pool) -> Rows:
    found = [dict(row) for row in await connection.fetch("SELECT * FROM registry")]
    return {row["url"]: row | {"history": orjson.loads(row["history"])} for row in found}


async def publish(fed: Feed, entries: Sequence[Entry]) -> None:
    for url, record in entries:
        await fed.raw("relays", partition(url), None if record is None else record.encode(), url.encode())


def partition(url: str) -> int:
    return ord(normalize(url).host[0]) % 4


async def test_rows_are_the_last_records_in_any_batches(pool: Pool) -> None:
    rng = random.Random(12)
    for _ in range(12):
        entries = some_entries(rng, 40)
        async with pool.acquire() as connection:
            await connection.execute("TRUNCATE registry")
            for _ in range(2):  # The second time it is read again, over the rows of the first.
                left = list(entries)
                while left:
                    size = rng.randrange(1, 12)
                    async with connection.transaction():
                        await registry.write(connection, left[:size], {})
                    left = left[size:]
                assert await rows(connection) == expected(entries)
            last = [Entry(url, dict(entries)[url]) for url in {entry.url for entry in entries}]
            assert await registry.write(connection, last, {}) == 0, "nothing is new"


async def test_two_sinks_a_replay_and_a_rebuild_give_the_rows_of_the_topic(settings: Settings, pool: Pool) -> None:
    rng = random.Random(7)
    first, second = some_entries(rng, 60), some_entries(rng, 30)
    async with feed(settings) as fed:
        await fed.raw("relays", 1, PUBLISHED, b"wss://old.example")
        await fed.raw("relays", 1, b"no record", b"wss://bad.example")
        async with running_sink(settings), running_sink(settings):
            await publish(fed, first)
            await all_read(settings, pool)
            await publish(fed, second)
            await all_read(settings, pool)
    operators = registry_row(RelayRecord.decode(PUBLISHED))
    held = {**expected([*first, *second]), "wss://old.example": operators}
    assert await rows(pool) == held
    assert operators["sources"] == ["operator"]
    live = await digests(settings, 1)
    assert live.state.table("registry").count == len(held)

    # An archive of before it knew the topic has no offsets of it, and begins it where it begins.
    await pool.execute("DELETE FROM sink_offsets WHERE topic LIKE '%.relays'")
    async with running_sink(settings):
        await all_read(settings, pool)
    assert await rows(pool) == held

    await rebuilt(settings, "rebuilt", jobs=2)
    assert await digests(in_schema(settings, "rebuilt"), 1) == live


async def test_rows_go_whose_tombstones_came_and_went_while_the_sink_was_away(settings: Settings, pool: Pool) -> None:
    """And only those: not of relays that are there still, come with the next record, or are of other partitions."""
    rng = random.Random(5)
    kept, gone, new = (Entry(url, some_record(rng, url)) for url in RELAYS[:3])
    places = {entry.url: relay_partition(normalize(entry.url).host, 4) for entry in (kept, gone, new)}
    other = next(
        url
        for number in range(100)
        if relay_partition(normalize(url := f"wss://other-{number}.example").host, 4) not in places.values()
    )
    async with feed(settings) as fed:

        async def give(*entries: Entry) -> None:
            for entry in entries:
                record = None if entry.record is None else entry.record.encode()
                await fed.raw("relays", places[entry.url], record, entry.url.encode())

        async with running_sink(settings):
            await give(kept, gone, Entry(gone.url, None))
            await all_read(settings, pool)
        # As if the tombstone had never been read, and compaction had left neither it nor what it replaced.
        async with pool.acquire() as connection:
            unread = [gone, Entry(other, some_record(rng, other))]
            await registry.write(connection, unread, {})
        async with running_sink(settings):
            await give(new)
            await all_read(settings, pool)
        assert (await rows(pool)).keys() == {kept.url, gone.url, new.url, other}, "it was not away for long"

        await give(Entry(new.url, new.record), *(Entry(url, some_record(rng, url)) for url in (kept.url,)))
        await pool.execute("UPDATE sink_offsets SET last_timestamp_ms = NULL WHERE topic LIKE '%.relays'")
        await fed.raw("relays", places[gone.url], b"no record", b"wss://bad.example")
        async with running_sink(settings):
            await all_read(settings, pool)
        assert (await rows(pool)).keys() == {kept.url, new.url, other}


async def test_an_archive_of_the_version_before_is_migrated_and_goes_on(settings: Settings, servers: Servers) -> None:
    known = [event(number) for number in range(3)]
    async with fresh_database(servers, "registry_from_0011") as dsn, feed(settings) as fed:
        old = settings.model_copy(update={"postgres": PostgresSettings(dsn=dsn)})
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection, [each for each in migrations() if each.version < 12])
        await fed.raw("relays", 1, PUBLISHED, b"wss://old.example")
        await fed.events(known)
        with pytest.raises(SchemaError, match=r"of version 11, and .*: run `bigbrotr migrate`"):
            async with running_sink(old):
                pass
        assert (await migrate(connection)).applied[0] == "0012_registry.sql"
        await connection.close()
        async with asyncpg.create_pool(dsn.get_secret_value(), min_size=1, max_size=2) as pool:
            async with running_sink(old):
                await all_read(old, pool)
            assert await rows(pool) == {"wss://old.example": registry_row(RelayRecord.decode(PUBLISHED))}
            assert await pool.fetchval("SELECT count(*) FROM events") == len(known)


async def test_the_digest_covers_what_was_decided_and_not_what_connectors_met(settings: Settings, pool: Pool) -> None:
    url = RELAYS[0]
    record = RelayRecord(
        url=url,
        network="clearnet",
        source="event",
        sources=("event",),
        first_seen_ms=5,
        admitted_at_ms=6,
        updated_at_ms=7,
    )
    met: list[dict[str, object]] = [
        {"state": "confirmed", "updated_at_ms": 8},
        {"report": Report(state="silent", tries=1, at_ms=8)},
        {"history": (StateChange(state="silent", at_ms=8),)},
        {"admitted_at_ms": 9},
    ]
    decided: list[dict[str, object]] = [
        {"sources": ("api", "event")},
        {"first_seen_ms": 4},
        {"lane": "priority"},
        {"allowed": False},
        {"admitted_at_ms": None},
    ]

    async def digest_with(members: dict[str, object]) -> str:
        async with pool.acquire() as connection, connection.transaction():
            await registry.write(connection, [Entry(url, record.model_copy(update=members))], {})
        return (await digests(settings, 1)).state.table("registry").hexdigest()

    plain = await digest_with({})
    assert {await digest_with(members) for members in met} == {plain}
    others = {await digest_with(members) for members in decided}
    assert len(others | {plain}) == len(decided) + 1


async def test_an_audit_names_relays_that_were_altered_by_hand(pool: Pool) -> None:
    rng = random.Random(3)
    async with pool.acquire() as connection:
        await registry.write(connection, [Entry(url, some_record(rng, url)) for url in RELAYS], {})
        assert (await audit(pool, Scope(), jobs=1)).relays == []
        await connection.execute("UPDATE registry SET network = 'tor' WHERE url = $1", RELAYS[4])
        (wrong,) = (await audit(pool, Scope(), jobs=1)).relays
        assert (wrong.url, wrong.column) == (RELAYS[4], "network")
        assert (await audit(pool, Scope(since_s=0), jobs=1)).relays == [], "only where all is audited"


async def test_the_questions_of_the_guide_have_answers(pool: Pool) -> None:
    (sql,) = re.findall(r"```sql\n(.*?)```", QUERIES.read_text(encoding="utf-8"), re.DOTALL)
    questions = [query for query in sql.split("\n\n") if "registry" in query]
    record = RelayRecord(url=RELAYS[0], network="clearnet", source="event", sources=("event", "api"), updated_at_ms=7)
    denied = record.model_copy(
        update={
            "url": RELAYS[1],
            "sources": ("event",),
            "state": "denied",
            "allowed": False,
            "command": RelayCommand(target="b.example", action="deny", reason="asked to be left alone", at_ms=9),
        }
    )
    async with pool.acquire() as connection:
        await registry.write(connection, [Entry(each.url, each) for each in (record, denied)], {})
    found = [[tuple(row.values())[:3] for row in await pool.fetch(question)] for question in questions]
    assert found == [
        [("candidate", "regular", 1), ("denied", "regular", 1)],
        [("event", 2, 1), ("api", 1, 1)],
        [(RELAYS[1], "b.example", "asked to be left alone")],
    ]
