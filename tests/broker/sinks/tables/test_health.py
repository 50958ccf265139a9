"""The health of relays as rows: probes, documents, and the last record of each relay, whatever is read again."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

from core.archive.connection import Connection, Pool
from core.settings import PostgresSettings, Settings
from schemas.latency_buckets import percentile_ms
from schemas.nostr.relay_document import content_hash
from schemas.partition import event_partition, relay_partition
from schemas.records.probe import Checks, Nip11Check, OpenCheck, ReadCheck
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import DocumentChange, Honesty, Latency, Limits, Outage, RelayHealth, Tally
from schemas.relay_urls.relay_url import normalize
from sinks.integrity.audit import audit
from sinks.integrity.audit_report import Scope
from sinks.integrity.digest import digests
from sinks.migrate import migrate, migrations
from sinks.tables.topic_tables import probes, relay_documents, relay_health
from sinks.tables.topic_tables.relay_health import Entry
from sinks.tables.topic_tables.relay_health_rows import rows
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.material import Feed, all_read, feed, running_sink
from tests.broker.sinks.rebuilding import in_schema, rebuilt
from tests.unit.processors.assess.material import DAY_MS, HOUR_MS, expected, folded, history, probe

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

RELAYS = [f"wss://{name}.example" for name in "abcdefgh"]
QUERIES = Path(__file__).parents[4] / "docs/how-to/query.md"
NOW_MS = time.time_ns() // 1_000_000
TABLES = {"relay_days": "day", "relay_outages": "since_ms", "relay_document_changes": "at_ms"}
JSON = {"checks", "observed", "advertised", "learnt", "honesty", "hours", "claims", "members"}
Stored = dict[str, list[dict[str, Any]]]


def document(text: str, first_seen_ms: int = 7) -> RelayDocumentRecord:
    return RelayDocumentRecord(hash=content_hash(text.encode()), text=text, first_seen_ms=first_seen_ms)


OLD, NEW = (
    document('{"name":"a","limitation":{"max_limit":500,"auth_required":false},"supported_nips":[1]}'),
    document('{"name":"a","limitation":{"max_limit":200,"auth_required":false},"contact":"x"}'),
)


def some_health(rng: random.Random, url: str) -> RelayHealth:
    """What probes of some days lead to."""
    health = folded(history(rng.randrange(10**6), rng.randrange(1, 5)))
    changes = tuple(DocumentChange(at_ms=at, before=None, after=NEW.hash) for at in rng.sample(range(9), 2))
    return health.model_copy(update={"url": url, "changes": changes, "detail": "a\0é"})


def some_entries(rng: random.Random, count: int) -> list[Entry]:
    """Records and tombstones in the order of their topic."""
    return [Entry(url, None if rng.random() < 0.2 else some_health(rng, url)) for url in rng.choices(RELAYS, k=count)]


def encoded(record: RelayHealth | None) -> bytes | None:
    return None if record is None else record.encode()


def wanted(entries: Sequence[Entry]) -> Stored:
    newest = {url: rows(record) for url, record in sorted(dict(entries).items()) if record is not None}
    found: Stored = {"relay_health": [each.health for each in newest.values()]}
    for place, (table, key) in enumerate(TABLES.items()):
        of_table = {url: (each.days, each.outages, each.changes)[place] for url, each in newest.items()}
        found[table] = [{"url": url, **row} for url in of_table for row in sorted(of_table[url], key=itemgetter(key))]
    return found


async def stored(connection: Connection | Pool) -> Stored:
    keys = {"relay_health": "url", **{table: f"url, {key}" for table, key in TABLES.items()}}
    return {
        table: [plain(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY {key}")]
        for table, key in keys.items()
    }


def plain(row: asyncpg.Record | None) -> dict[str, Any]:
    assert row is not None
    found = {name: orjson.loads(value) if name in JSON and value else value for name, value in row.items()}
    return found | ({"day": found["day"].isoformat()} if "day" in found else {})


async def publish(fed: Feed, topic: str, records: Sequence[tuple[str, bytes | None]]) -> None:
    for key, value in records:
        host = None if topic == "relays.documents" else normalize(key).host
        partition = event_partition(key, 4) if host is None else relay_partition(host, 4)
        await fed.raw(topic, partition, value, key.encode())


async def test_rows_are_the_last_records_in_any_batches(pool: Pool) -> None:
    rng = random.Random(14)
    for _ in range(4):
        entries = some_entries(rng, 30)
        async with pool.acquire() as connection:
            await connection.execute("TRUNCATE relay_health CASCADE")
            for _ in range(2):  # The second time it is read again, over the rows of the first.
                left = list(entries)
                while left:
                    size = rng.randrange(1, 12)
                    async with connection.transaction():
                        await relay_health.write(connection, left[:size], {})
                    left = left[size:]
                assert await stored(connection) == wanted(entries)
            versions = await connection.fetch("SELECT url, day, xmin FROM relay_days ORDER BY url, day")
            last = [Entry(url, record) for url, record in dict(entries).items()]
            assert await relay_health.write(connection, last, {}) == 0, "nothing is new"
            assert await connection.fetch("SELECT url, day, xmin FROM relay_days ORDER BY url, day") == versions


async def test_two_sinks_a_replay_and_a_rebuild_give_the_rows_of_the_topics(settings: Settings, pool: Pool) -> None:
    rng = random.Random(7)
    first, second = some_entries(rng, 20), some_entries(rng, 10)
    made = [probe(NOW_MS - number * HOUR_MS, url=url) for number, url in enumerate(RELAYS * 2)]
    async with feed(settings) as fed, running_sink(settings), running_sink(settings):
        await publish(fed, "relays.health", [(url, encoded(each)) for url, each in first])
        await publish(fed, "relays.documents", [(each.hash, each.encode()) for each in (OLD, NEW)])
        await publish(fed, "raw.probes", [(each.url, each.encode()) for each in made + made[:3]])
        await publish(fed, "raw.probes", [(RELAYS[0], b"no record"), (RELAYS[0], None)])
        await all_read(settings, pool)
        await publish(fed, "relays.health", [(url, encoded(each)) for url, each in second])
        await publish(fed, "relays.documents", [(OLD.hash, None), (NEW.hash, document(NEW.text, 5).encode())])
        await all_read(settings, pool)
    held = wanted([*first, *second])
    assert await stored(pool) == held
    assert await pool.fetchval("SELECT count(*) FROM probes") == len(made)
    assert [tuple(row) for row in await pool.fetch("SELECT hash, first_seen_ms FROM relay_documents")] == [
        (NEW.hash, 5)
    ]
    live = await digests(settings, 1)
    assert live.state.table("relay_days").count == len(held["relay_days"])

    # An archive of before it knew the topics has no offsets of them, and begins them where they begin.
    await pool.execute("DELETE FROM sink_offsets WHERE topic LIKE '%.relays.%' OR topic LIKE '%.raw.probes'")
    async with running_sink(settings):
        await all_read(settings, pool)
    assert await stored(pool) == held
    assert (await digests(settings, 1)).state == live.state

    await rebuilt(settings, "rebuilt", jobs=2)
    assert await digests(in_schema(settings, "rebuilt"), 1) == live


async def test_a_probe_is_a_row_as_long_as_the_topic_keeps_it(pool: Pool) -> None:
    checks = Checks(
        open=OpenCheck(ok=True, took_ms=120, address="203.0.113.7"),
        read=ReadCheck(ok=False, took_ms=9, words="a\0b"),
        nip11=Nip11Check(ok=True, document=OLD.hash),
    )
    monitor = "ab" * 32
    full = probe(NOW_MS, "refused_by_policy", cause="auth", detail="\0", attempts=2, checks=checks, by=monitor)
    kept = [probe(NOW_MS - days * DAY_MS, url=RELAYS[0]) for days in (0, 1, 27)]
    old = [probe(NOW_MS - days * DAY_MS - 1, url=RELAYS[0]) for days in (28, 29, 5000)]
    async with pool.acquire() as connection:
        assert await probes.write(connection, [*kept, *old, full], {}) == len(kept) + 1
        assert await probes.write(connection, [*kept, full.model_copy(update={"detail": "other"})], {}) == 0
        assert plain(await connection.fetchrow("SELECT * FROM probes WHERE verdict <> 'works'")) == {
            "url": full.url,
            "probed_at_ms": NOW_MS,
            "is_full": False,
            "attempts": 2,
            "verdict": "refused_by_policy",
            "cause": "auth",
            "detail": "\N{REPLACEMENT CHARACTER}",
            "open_ms": 120,
            "read_ms": None,
            "document": OLD.hash,
            "checks": {
                "open": {"ok": True, "took_ms": 120, "address": "203.0.113.7"},
                "read": {"ok": False, "took_ms": 9, "words": "a\N{REPLACEMENT CHARACTER}b"},
                "nip11": {"ok": True, "document": OLD.hash},
            },
            "observed": {},
            "monitor": monitor,
        }
        # They grow old where they are.
        await connection.execute(
            "UPDATE probes SET probed_at_ms = probed_at_ms - 2 * 86400000 WHERE url = $1", RELAYS[0]
        )
        assert await probes.write(connection, [kept[1]], {}) == 2, "one comes, one goes"
        held = await connection.fetch("SELECT probed_at_ms FROM probes WHERE url = $1 ORDER BY 1 DESC", RELAYS[0])
        assert [NOW_MS - row["probed_at_ms"] for row in held] == [DAY_MS, 2 * DAY_MS, 3 * DAY_MS]


async def test_a_document_is_kept_as_it_was_sent_and_as_it_was_understood(pool: Pool) -> None:
    odd = document('{"name":"a\0b","x":1}')
    none = document("<html>")
    async with pool.acquire() as connection:
        given = [relay_documents.Entry(each.hash, each) for each in (OLD, odd, none)]
        assert await relay_documents.write(connection, given, {}) == 3
        assert await relay_documents.write(connection, given, {}) == 0
        found = [plain(row) for row in await connection.fetch("SELECT * FROM relay_documents")]
        members = {row["hash"]: (row["text"], row["members"]) for row in found}
        assert members == {
            OLD.hash: (
                OLD.text,
                {"name": "a", "supported_nips": [1], "limitation": {"max_limit": 500, "auth_required": False}},
            ),
            odd.hash: (odd.text.replace("\0", "\N{REPLACEMENT CHARACTER}"), {"name": "a\N{REPLACEMENT CHARACTER}b"}),
            none.hash: ("<html>", None),
        }
        late, early = document(OLD.text, 9), document(OLD.text, 3)
        assert await relay_documents.write(connection, [relay_documents.Entry(OLD.hash, late)], {}) == 0
        assert await relay_documents.write(connection, [relay_documents.Entry(OLD.hash, early)], {}) == 1


async def test_what_changed_of_a_document_is_a_row_a_member(pool: Pool) -> None:
    health = folded([probe()]).model_copy(
        update={
            "changes": (
                DocumentChange(at_ms=5, before=None, after=OLD.hash),
                DocumentChange(at_ms=9, before=OLD.hash, after=NEW.hash),
                DocumentChange(at_ms=11, before=NEW.hash, after=None),
            )
        }
    )
    async with pool.acquire() as connection:
        await relay_health.write(connection, [Entry(health.url, health)], {})
        await relay_documents.write(connection, [relay_documents.Entry(each.hash, each) for each in (OLD, NEW)], {})
        found = await connection.fetch(
            "SELECT member, before, after FROM relay_document_differences WHERE at_ms = 9 ORDER BY member"
        )
        counts = await connection.fetch(
            "SELECT at_ms, count(*) FROM relay_document_differences GROUP BY at_ms ORDER BY at_ms"
        )
    assert [(row["member"], *(each and orjson.loads(each) for each in list(row)[1:])) for row in found] == [
        ("contact", None, "x"),
        (
            "limitation",
            {"max_limit": 500, "auth_required": False},
            {"max_limit": 200, "auth_required": False},
        ),
        ("supported_nips", [1], None),
    ]
    assert [tuple(row) for row in counts] == [(5, 3), (9, 3), (11, 3)]


async def test_uptime_of_90_days_equals_a_plain_look_at_all_probes(pool: Pool) -> None:
    for seed in range(3):
        await check_uptime(pool, seed)


async def check_uptime(pool: Pool, seed: int) -> None:
    made = history(seed, 90)
    health, reference = folded(made), expected(made)
    last_ms = made[-1].probed_at_ms
    async with pool.acquire() as connection:
        await relay_health.write(
            connection, [Entry(health.url, health), Entry(RELAYS[0], folded([probe(0, url=RELAYS[0])]))], {}
        )
        uptime = await connection.fetch(
            "SELECT * FROM relay_uptime_at(to_timestamp($1::bigint / 1000.0)) WHERE url = $2", last_ms, health.url
        )
        outages = await connection.fetch(
            "SELECT since_ms, until_ms FROM relay_outages WHERE url = $1 ORDER BY 1", health.url
        )
        latency = await connection.fetch(
            "SELECT * FROM relay_latency_at(to_timestamp($1::bigint / 1000.0)) WHERE url = $2", last_ms, health.url
        )
        now = await connection.fetch("SELECT * FROM relay_uptime WHERE url = $1", health.url)
    today, hour = last_ms // DAY_MS, last_ms // HOUR_MS
    since_s = {1: (hour - 24) * 3600} | {days: (today - days + 1) * 86_400 for days in (7, 30, 90)}
    assert {row["days"]: row["uptime"] for row in uptime} == {
        days: pytest.approx(reference.uptime(since), abs=1e-12) for days, since in since_s.items()
    }
    assert {row["days"]: row["probes"] for row in uptime} == {
        days: sum(each.probed_at_ms >= since * 1000 for each in made) for days, since in since_s.items()
    }
    assert [tuple(row) for row in outages] == reference.outages[-50:]
    assert {row["days"]: row["uptime"] for row in now if row["uptime"] is not None} == {}, "long ago"
    assert len(now) == len(since_s)
    for row in latency:
        days = max(row["days"], 2)
        counted = [each for each in health.latencies if each.day > today - days]
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            assert row[f"open_{name}_ms"] == pytest.approx(percentile_ms([each.open for each in counted], share))
            assert row[f"read_{name}_ms"] == pytest.approx(percentile_ms([each.read for each in counted], share))
    assert {row["days"] for row in latency} == set(since_s)


async def test_records_of_anything_are_stored_within_bounds(pool: Pool) -> None:
    big = 2**70
    wild = folded([probe()]).model_copy(
        update={
            "since_ms": big,
            "failures": big,
            "days": (Tally(-5, -1, big, 1, 1), Tally(big, 1, 1, 1, 1), Tally(big + 1, 2, 2, 2, 2)),
            "hours": (Tally(big, big, big, big, big), Tally(-1, -1, -1, -1, -1)),
            "latencies": (Latency(3, ((99, big), (-4, 1)), ()), Latency(-9, (), ((0, 1),))),
            "changes": (DocumentChange(at_ms=big, before="\0" * 5000, after=None),) * 2,
            "duplicate_of": "\0" * 5000,
        }
    )
    async with pool.acquire() as connection:
        await relay_health.write(connection, [Entry(wild.url, wild)], {})
        assert await stored(connection) == wanted([Entry(wild.url, wild)])
        days = [
            (row["day"].isoformat(), row["up_s"])
            for row in await connection.fetch("SELECT * FROM relay_days ORDER BY 1, 2")
        ]
        assert days == [("1970-01-01", 0), ("1970-01-04", 0), ("9999-12-31", 2)]
        for query in (
            "relay_uptime",
            "relay_latency",
            "relay_uptime_at('9999-12-31')",
            "relay_latency_at('1970-01-01')",
        ):
            await connection.fetch(f"SELECT * FROM {query}")


async def test_an_audit_names_what_was_altered_by_hand(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await relay_health.write(connection, [Entry(url, folded([probe(url=url)])) for url in RELAYS], {})
        given = [relay_documents.Entry(each.hash, each) for each in (OLD, NEW, document("<html>"), document("{}"))]
        await relay_documents.write(connection, given, {})
        sound = await audit(pool, Scope(), jobs=1)
        assert (sound.relays, sound.documents) == ([], [])
        await connection.execute("UPDATE relay_health SET network = 'tor' WHERE url = $1", RELAYS[4])
        await connection.execute("UPDATE relay_documents SET members = members - 'name' WHERE hash = $1", OLD.hash)
        altered = await audit(pool, Scope(), jobs=1)
        assert [(each.table, each.url, each.column) for each in altered.relays] == [
            ("relay_health", RELAYS[4], "network")
        ]
        assert [each.hash for each in altered.documents] == [OLD.hash]


async def test_an_archive_of_the_version_before_is_migrated_and_goes_on(settings: Settings, servers: Servers) -> None:
    health = folded([probe(url=RELAYS[0])])
    async with fresh_database(servers, "health_from_0012") as dsn, feed(settings) as fed:
        old = settings.model_copy(update={"postgres": PostgresSettings(dsn=dsn)})
        connection = await asyncpg.connect(dsn.get_secret_value())
        await migrate(connection, [each for each in migrations() if each.version < 13])
        await publish(fed, "relays.health", [(health.url, health.encode())])
        assert "0013_health.sql" in (await migrate(connection)).applied
        await connection.close()
        async with asyncpg.create_pool(dsn.get_secret_value(), min_size=1, max_size=2) as pool:
            async with running_sink(old):
                await all_read(old, pool)
            assert await stored(pool) == wanted([Entry(health.url, health)])


async def test_the_digest_covers_what_probes_said_and_not_what_the_clock_did(settings: Settings, pool: Pool) -> None:
    health = folded([probe(), probe(probe().probed_at_ms + HOUR_MS)])

    async def digest_with(**members: object) -> list[str]:
        async with pool.acquire() as connection, connection.transaction():
            await relay_health.write(connection, [Entry(health.url, health.model_copy(update=members))], {})
        state = (await digests(settings, 1)).state
        return [state.table(name).hexdigest() for name in ("relay_health", *TABLES)]

    sound = await digest_with()
    assert await digest_with(state="unknown", since_ms=5, judged_at_ms=6) == sound
    assert await digest_with(learnt=Limits(max_limit=5), honesty=Honesty(copies=3)) == sound
    others = [
        await digest_with(verdict="broken"),
        await digest_with(days=()),
        await digest_with(outages=(Outage(since_ms=1, verdict="broken"),)),
        await digest_with(changes=(DocumentChange(at_ms=5, before=None, after=None),)),
    ]
    for place, other in enumerate(others):
        assert [name != was for name, was in zip(other, sound, strict=True)] == [at == place for at in range(4)]


async def test_the_questions_of_the_guide_have_answers(pool: Pool) -> None:
    url = "wss://relay.example.com"
    (sql,) = re.findall(r"```sql\n(.*?)```", QUERIES.read_text(encoding="utf-8"), re.DOTALL)
    questions = [query for query in sql.split("\n\n") if "FROM relay_" in query]
    made = folded([probe(NOW_MS - number * HOUR_MS, url=url) for number in range(200, 0, -1)])
    health = made.model_copy(
        update={
            "document": NEW.hash,
            "changes": (DocumentChange(at_ms=NOW_MS, before=OLD.hash, after=NEW.hash),),
            "advertised": Limits(max_limit=500),
            "learnt": Limits(max_limit=200),
            "latencies": (Latency(NOW_MS // DAY_MS, ((4, 1),), ((6, 1),)),),
            "outages": (Outage(since_ms=NOW_MS - 5000, until_ms=NOW_MS - 2000, verdict="broken", cause="tls"),),
        }
    )
    async with pool.acquire() as connection:
        await relay_health.write(connection, [Entry(url, health)], {})
        await relay_documents.write(connection, [relay_documents.Entry(each.hash, each) for each in (OLD, NEW)], {})
        found = [[tuple(row.values()) for row in await connection.fetch(question)] for question in questions]
    states, least, times, outages, limits, changes, software = found
    assert states == [("online", 1)]
    assert [(row[0], row[1]) for row in least] == [(url, 100)]
    assert [row[0] for row in times] == [1, 7, 30, 90]
    assert [row[1:3] for row in outages] == [(3, "tls")]
    assert limits == [(url, "500", "200")]
    assert [row[2] for row in changes] == ["contact", "limitation", "supported_nips"]
    assert software == [(None, 1)]
