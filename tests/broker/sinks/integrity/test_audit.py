"""An audit finds every row that somebody altered by hand, names it and what was altered, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from core.archive.connection import Pool
from schemas.nostr.event import encode_event
from sinks.integrity.audit import audit
from sinks.integrity.audit_report import AuditReport, Scope
from sinks.integrity.sample import Sample
from sinks.tables import TABLES
from tests.broker.sinks.archived import RELAYS, SEEN_MS, START_S, archive, difficult, fill, signed, some_events

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

PLAIN = signed(START_S + 77, 1, [["t", "topic"], ["client", "x"]], "plain")
NUL, DEL = difficult()[:2]
DELETION = signed(START_S + 78, 5, [["e", PLAIN.id], ["e", NUL.id], ["expiration", "9"]], "")
PROFILE = signed(START_S + 79, 0, [], "{}")
EVENTS = [*some_events(200, seed=3), *difficult(), PLAIN, DELETION, PROFILE]
SEEN = {event.id: dict.fromkeys(RELAYS[: 1 + place % 3], SEEN_MS) for place, event in enumerate(EVENTS)}
DAY_S = 86_400


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(servers: Servers) -> AsyncIterator[Pool]:
    """One archive for the module: what a test alters it restores."""
    async with archive(servers, "audit_test") as made:
        async with made.acquire() as connection:
            await fill(connection, EVENTS, SEEN)
        yield made


async def audited(pool: Pool, scope: Scope | None = None, jobs: int = 2) -> AuditReport:
    return await audit(pool, scope or Scope(), jobs=jobs)


async def test_an_archive_that_was_not_altered_is_right(pool: Pool) -> None:
    told: list[int] = []
    report = await audit(pool, Scope(), jobs=3, progress=lambda now: told.append(now.events))
    assert (report.findings, report.altered, report.orphans) == ([], 0, 0)
    assert report.events == report.sightings == report.expected == len(EVENTS)
    assert told[-1] == len(EVENTS)


CASES = [
    (PLAIN, "content = 'plain.'", {"content", "tags", "created_at"}, 1),
    (PLAIN, """tags = '[["t", "other"], ["client", "x"]]'""", {"tags"}, 1),
    (PLAIN, """tags = '[["t", "topic"], ["client", "y"]]'""", {"content", "tags", "created_at"}, 1),
    (PLAIN, """tags = '{"t": "topic"}'""", {"tags"}, 1),
    (PLAIN, """tags = '[["t", 1]]'""", {"tags"}, 1),
    (PLAIN, "sig = set_byte(sig, 9, 255 - get_byte(sig, 9))", {"sig"}, 1),
    (PLAIN, "pubkey = set_byte(pubkey, 0, 255 - get_byte(pubkey, 0))", {"pubkey"}, 1),
    (PLAIN, "kind = 7", {"kind"}, 1),
    (PLAIN, f"created_at = created_at + {70 * DAY_S}", {"created_at"}, 1),
    (PLAIN, "id_form = 1", {"id_form"}, 1),
    (PLAIN, "id_form = 7", {"id_form"}, 1),
    (PLAIN, "id = set_byte(id, 31, 255 - get_byte(id, 31))", {"id"}, 1),
    (PLAIN, "id_prefix = id_prefix + 1", {"id_prefix"}, 1),
    (PLAIN, "pubkey_prefix = -pubkey_prefix", {"pubkey_prefix"}, 1),
    (PLAIN, "tag_hashes = '{}'", {"tag_hashes"}, 1),
    (PLAIN, "tag_hashes = tag_hashes || tag_hashes", {"tag_hashes"}, 1),
    (PLAIN, "tag_hashes = '{NULL}'", {"tag_hashes"}, 1),
    (PLAIN, "tag_hashes = '{1}', id_prefix = 1", {"tag_hashes", "id_prefix"}, 2),
    (DEL, "id_form = 0", {"id_form"}, 1),
    (DEL, "kind = 2", {"kind"}, 1),
    (NUL, "raw = set_byte(raw, 0, 65)", {"raw"}, 1),
    (NUL, "raw = convert_to(replace(convert_from(raw, 'UTF8'), 'nul', 'nil'), 'UTF8')", {"raw"}, 1),
    (NUL, "kind = 2", {"kind"}, 1),
    (NUL, "created_at = created_at + 1", {"created_at"}, 1),
    (NUL, "id = set_byte(id, 31, 255 - get_byte(id, 31))", {"id"}, 1),
    (NUL, "pubkey = set_byte(pubkey, 0, 255 - get_byte(pubkey, 0))", {"pubkey"}, 1),
    (NUL, "sig = set_byte(sig, 9, 255 - get_byte(sig, 9))", {"sig"}, 1),
    (NUL, "id_form = 1", {"id_form"}, 1),
    (NUL, "tag_hashes = '{}'", {"tag_hashes"}, 1),
]


async def test_each_column_altered_by_hand_is_found_and_named(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for event, change, columns, wrongs in CASES:
            event_id = bytes.fromhex(event.id)
            original = await connection.fetchrow("SELECT * FROM events WHERE id = $1", event_id)
            altered = await connection.fetchrow(f"UPDATE events SET {change} WHERE id = $1 RETURNING *", event_id)
            assert altered is not None
            report = await audited(pool)
            assert (report.altered, len(report.findings)) == (1, wrongs), (change, report.findings)
            assert {finding.id for finding in report.findings} == {altered["id"].hex()}, change
            assert {column for finding in report.findings for column in finding.columns} == columns, change
            month = await connection.fetchval(
                "SELECT to_char(to_timestamp($1::bigint) AT TIME ZONE 'UTC', 'YYYY-MM')", altered["created_at"]
            )
            assert {finding.month for finding in report.findings} == {month}
            await connection.execute("DELETE FROM events WHERE id = $1", altered["id"])
            await connection.execute("INSERT INTO events SELECT ($1::events).*", original)
    assert (await audited(pool)).altered == 0


async def test_bytes_kept_for_an_event_that_needs_none_are_found(pool: Pool) -> None:
    victim = bytes.fromhex(PLAIN.id)
    async with pool.acquire() as connection:
        original = await connection.fetchrow("SELECT * FROM events WHERE id = $1", victim)
        change = "raw = $2, tags = NULL, content = NULL"
        await connection.execute(f"UPDATE events SET {change} WHERE id = $1", victim, encode_event(PLAIN))
        report = await audited(pool)
        assert [(finding.id, finding.columns) for finding in report.findings] == [(PLAIN.id, ("raw",))]
        await connection.execute("DELETE FROM events WHERE id = $1", victim)
        await connection.execute("INSERT INTO events SELECT ($1::events).*", original)


async def test_what_follows_from_an_event_and_was_altered_by_hand_is_found(pool: Pool) -> None:
    request, nul, profile = (bytes.fromhex(event.id) for event in (DELETION, NUL, PROFILE))
    changes = [
        ("deletions_by_id", "DELETE FROM deletions_by_id WHERE request_id = $1 AND target_id <> $1", request),
        ("deletions_by_id", "UPDATE deletions_by_id SET requested_at = 1 WHERE request_id = $1", request),
        ("deletions_by_address", "INSERT INTO deletions_by_address VALUES ('\\x00', 1, $1)", request),
        ("vanish_requests", "INSERT INTO vanish_requests VALUES ('\\x00', 1, $1, '{}')", request),
        ("expirations", "UPDATE expirations SET expires_at = 10 WHERE id = $1", request),
        ("nul_tags", "UPDATE nul_tags SET recipients = '{abc}' WHERE id = $1", nul),
        ("nul_tags", "DELETE FROM nul_tags WHERE id = $1", nul),
        ("address_versions", "UPDATE address_versions SET address_sha256 = '\\x00' WHERE id = $1", profile),
        ("address_versions", "DELETE FROM address_versions WHERE id = $1", profile),
    ]
    assert {table for table, _, _ in changes} == {projection.name for projection in TABLES.every_projection}
    async with pool.acquire() as connection:
        for table, change, event_id in changes:
            original = await connection.fetch(f"SELECT * FROM {table}")
            assert await connection.execute(change, event_id) not in ("UPDATE 0", "DELETE 0")
            report = await audited(pool)
            assert [(found.table, found.id) for found in report.findings] == [(table, event_id.hex())], change
            await connection.execute(f"DELETE FROM {table}")
            await connection.executemany(f"INSERT INTO {table} SELECT ($1::{table}).*", [(row,) for row in original])
    assert (await audited(pool)).altered == 0


async def test_sightings_altered_by_hand_are_found(pool: Pool) -> None:
    victim = bytes.fromhex(PLAIN.id)
    async with pool.acquire() as connection:
        original = await connection.fetchrow("SELECT * FROM sightings WHERE id = $1", victim)
        for change, column in (
            ("relay_ids = relay_ids || relay_ids, seen_ats_ms = seen_ats_ms || seen_ats_ms", "relay_ids"),
            ("relay_ids = '{999}', seen_ats_ms = '{1}'", "relay_ids"),
            ("relay_ids = '{NULL}', seen_ats_ms = '{1}'", "relay_ids"),
            ("relay_ids = '{}', seen_ats_ms = '{}'", "relay_ids"),
            ("seen_ats_ms = array_fill(-1, ARRAY[cardinality(relay_ids)])", "seen_ats_ms"),
            ("seen_ats_ms = array_fill(NULL::bigint, ARRAY[cardinality(relay_ids)])", "seen_ats_ms"),
        ):
            await connection.execute(f"UPDATE sightings SET {change} WHERE id = $1", victim)
            report = await audited(pool)
            found = [(finding.table, finding.id, finding.columns) for finding in report.findings]
            assert found == [("sightings", PLAIN.id, (column,))], change
            await connection.execute("DELETE FROM sightings WHERE id = $1", victim)
            await connection.execute("INSERT INTO sightings SELECT ($1::sightings).*", original)


async def test_sightings_without_an_event_are_a_figure_and_no_damage(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("INSERT INTO sightings SELECT created_at + 1, id, '{1}', '{1}' FROM sightings LIMIT 3")
        report = await audited(pool)
        assert (report.orphans, report.altered) == (3, 0)
        assert report.sightings == len(EVENTS) + 3
        await connection.execute(
            "DELETE FROM sightings WHERE NOT EXISTS (SELECT FROM events "
            "WHERE events.created_at = sightings.created_at AND events.id = sightings.id)"
        )


async def test_only_times_that_were_asked_for_are_read(pool: Pool) -> None:
    since_s, until_s = START_S + DAY_S, START_S + 30 * DAY_S
    inside = sum(since_s <= event.created_at <= until_s for event in EVENTS)
    assert 0 < inside < len(EVENTS)
    report = await audited(pool, Scope(since_s, until_s))
    assert (report.events, report.sightings) == (inside, inside)


async def test_samples_come_out_again_and_add_up_to_the_whole(pool: Pool) -> None:
    first = await audited(pool, Scope(sample=Sample(5, 0.5)))
    again = await audited(pool, Scope(sample=Sample(5, 0.5)), jobs=1)
    assert first.events == again.events == first.sightings
    assert 0 < first.events < len(EVENTS)
    assert first.orphans is None
    by_count = Sample(5, count=len(EVENTS) // 2)
    await audited(pool, Scope(sample=by_count))
    assert 0.4 < by_count.share < 0.6
    assert (await audited(pool, Scope(sample=Sample(5, count=10**9)))).events == len(EVENTS)
