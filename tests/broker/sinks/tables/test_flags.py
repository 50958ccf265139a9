"""What is deleted, vanished or expired is told of every event, in any order of arrival, and nothing is lost by it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from core.archive.connection import Connection
from core.archive.rows import EVENT_COLUMNS
from core.archive.schema import SchemaError
from schemas.nostr.deletion import MAX_VANISH_RELAYS
from schemas.nostr.event import Event, event_from_object, parse_event
from schemas.records.erasure_requests import requested
from sinks.backfill import backfill
from sinks.migrate import check_schema, migrate, migrations
from sinks.rows import event_row
from sinks.tables import TABLES
from sinks.tables.projections.vanish_requests import set_own_urls
from tests.broker.sinks.conftest import fresh_database
from tests.broker.sinks.forgetting import OWN_URL, Flags, Scribe, expected_flags, made, world
from tests.broker.sinks.material import START_S, event

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

QUERIES = Path(__file__).parents[4] / "docs/how-to/query.md"


@pytest.fixture
async def unmigrated(servers: Servers) -> AsyncIterator[Connection]:
    async with fresh_database(servers, "flags_test") as dsn:
        connection = await asyncpg.connect(dsn.get_secret_value())
        yield connection
        await connection.close()


@pytest.fixture
async def archive(unmigrated: Connection) -> Connection:
    await migrate(unmigrated)
    await set_own_urls(unmigrated, [OWN_URL])
    return unmigrated


async def flags(connection: Connection) -> dict[str, Flags]:
    """What the archive says."""
    rows = await connection.fetch("SELECT id, deleted_by, vanished_by, expires_at FROM event_flags")
    return {
        row["id"].hex(): Flags(
            row["deleted_by"] and row["deleted_by"].hex(),
            row["vanished_by"] and row["vanished_by"].hex(),
            row["expires_at"],
        )
        for row in rows
    }


async def test_every_event_has_the_flags_of_the_protocol_in_any_order_of_arrival(archive: Connection) -> None:
    rng = random.Random(62)
    for round_, seed in enumerate((1, 2, 4), 1):
        events = world(seed, 150)
        scribe = Scribe(archive, f"group {seed}")
        await scribe.begin()
        rng.shuffle(events)
        while events:
            taken = [events.pop() for _ in range(min(len(events), rng.randrange(1, 40)))]
            await scribe.write(taken)
            await scribe.write(taken[:3])
        stored = [row["event"] for row in await archive.fetch("SELECT event_json(events)::text AS event FROM events")]
        every = [parse_event(text.encode()) for text in stored]
        assert len(every) == 150 * round_
        expected = expected_flags(every)
        assert await flags(archive) == expected
    assert len({tuple(map(bool, each)) for each in expected.values()}) == 8, "all combinations are there"
    visible = {row["id"].hex() for row in await archive.fetch("SELECT id FROM visible_events")}
    assert visible == {
        event_id
        for event_id, (deleted_by, vanished_by, expires_at) in expected.items()
        if not deleted_by and not vanished_by and expires_at != 100
    }
    # A request binds by the URLs that the archive has now.
    await set_own_urls(archive, [])
    binding = await archive.fetchval("SELECT count(*) FROM binding_vanish_requests")
    assert 0 < binding < await archive.fetchval("SELECT count(*) FROM vanish_requests")


async def test_the_view_and_the_processor_agree_on_which_requests_to_vanish_bind(archive: Connection) -> None:
    rng = random.Random(8)
    others = [f"wss://{number}.example" for number in range(MAX_VANISH_RELAYS)]
    named = [
        [*others[:-1], "WSS://Own.Example:443/"],
        [*others, OWN_URL],
        [*others, "x\0y", "ALL_RELAYS"],
        ["\0", others[0], others[0], "no url", OWN_URL],
        ["all_relays", "\0" + OWN_URL],
        [],
    ]
    asking = [made(rng, 62, [["relay", each] for each in relays]) for relays in named]
    scribe = Scribe(archive)
    await scribe.begin()
    await scribe.write(asking)
    rows = await archive.fetch("SELECT request_id FROM binding_vanish_requests")
    bound = {each.id for each in asking if requested(each, {OWN_URL}, 1)}
    assert {row["request_id"].hex() for row in rows} == bound == {asking[place].id for place in (0, 2, 3)}


async def test_the_shared_cases_of_deletion_and_vanishing(archive: Connection, shared_data: Path) -> None:
    cases = json.loads((shared_data / "semantics_synthetic.json").read_bytes())
    tried = 0
    for name, case in cases.items():
        if "deleted" not in case:
            continue
        events = [event_from_object(each) for each in case["events"]]
        transaction = archive.transaction()
        await transaction.start()
        scribe = Scribe(archive, name)
        await scribe.begin()
        await scribe.write(reversed(events))
        found = await flags(archive)
        gone = {event_id for event_id, each in found.items() if each.deleted_by or each.vanished_by}
        assert (name, gone) == (name, set(case["deleted"]))
        assert found.keys() - gone == set(case["not_deleted"])
        await transaction.rollback()  # Cases share events.
        tried += 1
    assert tried == 6


async def test_events_of_before_are_searched_when_the_database_is_migrated(unmigrated: Connection) -> None:
    await migrate(unmigrated, migrations()[:3])
    events = world(7, 200)
    rows = [event_row(each, 0) for each in events]
    await unmigrated.copy_records_to_table("events", records=rows, columns=EVENT_COLUMNS)
    # What is derived of the third step's rows cannot be written: the run ends there, and the next goes on from there.
    third = sorted(rows)[60:90]
    barrier = "ALTER TABLE expirations ADD CONSTRAINT barrier CHECK (created_at < {0} OR created_at > {1})"
    with pytest.raises(asyncpg.CheckViolationError):
        await search_past(unmigrated, barrier.format(third[0].created_at, third[-1].created_at))
    reached = tuple(await unmigrated.fetchrow("SELECT created_at, id FROM unread_requests") or ())
    assert reached in [sorted(rows)[place][:2] for place in (29, 59)], "a step may end within a second of the third"
    await unmigrated.execute("ALTER TABLE expirations DROP CONSTRAINT barrier")
    with pytest.raises(SchemaError, match=r"not searched to the end .* `bigbrotr migrate`"):
        await check_schema(unmigrated)
    await migrate(unmigrated)
    await check_schema(unmigrated)
    await set_own_urls(unmigrated, [OWN_URL])
    assert await flags(unmigrated) == expected_flags(events)


async def search_past(connection: Connection, then: str) -> None:
    """Apply the files, change something, and search the old events in steps of 30."""
    await connection.execute("".join(f"{migration.sql};" for migration in migrations()[3:]))
    for migration in migrations()[3:]:
        await connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.checksum,
        )
    await connection.execute(then)
    await backfill(connection, TABLES.projections, 30)


async def test_a_page_of_visible_events_reads_little_more_than_the_page(archive: Connection) -> None:
    newest = [event(number) for number in range(6000)]
    rng = random.Random(3)
    scribe = Scribe(archive)
    await scribe.begin()
    await scribe.write(newest)
    deletions = [
        made(rng, 5, [["e", each.id] for each in some], pubkey=some[0].pubkey, at=START_S + 9000)
        for some in (newest[n : n + 2] for n in range(0, 6000, 3))
    ]
    await scribe.write(deletions)
    await archive.execute("ANALYZE")
    page = "SELECT * FROM visible_events WHERE kind = 1 ORDER BY created_at DESC, id LIMIT 500"
    rows = await archive.fetch(page)
    assert [row["id"].hex() for row in rows] == [
        each.id for n, each in sorted(enumerate(newest), key=_newest_first) if n % 3
    ][:500]
    (plan,) = json.loads(await archive.fetchval(f"EXPLAIN (ANALYZE, FORMAT json) {page}"))
    read = sum(node["Actual Rows"] * node["Actual Loops"] for node in _nodes(plan["Plan"]) if _reads_events(node))
    assert 500 <= read < 1000, plan


async def test_the_questions_of_the_guide_are_answered(archive: Connection) -> None:
    (sql,) = re.findall(r"```sql\n(.*?)```", QUERIES.read_text(encoding="utf-8"), re.DOTALL)
    visible, why = (query for query in sql.split("\n\n") if "visible_events" in query or "event_flags" in query)
    (named,) = set(re.findall(r"[0-9a-f]{64}", why))
    note, other = event(1), event(2)
    request = made(random.Random(1), 5, [["e", note.id], ["expiration", "86400"]], pubkey=note.pubkey)
    scribe = Scribe(archive)
    await scribe.begin()
    await scribe.write([note, other, request])
    assert [json.loads(row[0])["id"] for row in await archive.fetch(visible)] == [other.id]
    assert await archive.fetch(why) == []
    assert tuple(await archive.fetchrow(why.replace(named, note.id)) or ()) == (request.id, None, None)
    expires = await archive.fetchrow(why.replace(named, request.id))
    assert tuple(expires or ()) == (None, None, datetime(1970, 1, 2, tzinfo=UTC))


def _newest_first(pair: tuple[int, Event]) -> tuple[int, str]:
    return -pair[1].created_at, pair[1].id


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]


def _reads_events(node: dict[str, Any]) -> bool:
    return str(node.get("Relation Name", "")).startswith("events_")
