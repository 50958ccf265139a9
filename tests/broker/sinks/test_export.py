"""What is exported is what a filter asks for, as it was signed, in order, once, and with constant memory."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from core.archive.connection import Pool
from core.archive.event_query import Parameters, condition
from core.archive.selection import Hide, Selection, UnknownRelayError
from schemas.lookup import key_prefix, tag_hash
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filters import Filter
from schemas.records.bundle import BundleLine, decode_lines
from sinks.export import export, lines
from tests.broker.sinks.archived import AUTHORS, RELAYS, SEEN_MS, START_S, archive, difficult, fill, some_events

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

EVENTS = [*some_events(300), *difficult()]
SEEN = {
    event.id: {RELAYS[number]: SEEN_MS + number for number in range(place % 4)} for place, event in enumerate(EVENTS)
}
KEY = {event.id: (event.created_at, event.id) for event in EVENTS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(servers: Servers) -> AsyncIterator[Pool]:
    """One archive for the module: nothing here writes events."""
    async with archive(servers, "export_test") as made:
        async with made.acquire() as connection:
            await fill(connection, EVENTS, {event_id: seen for event_id, seen in SEEN.items() if seen})
        yield made


async def exported(pool: Pool, selection: Selection) -> list[Event]:
    async with pool.acquire() as connection, aclosing(export(connection, selection)) as events:
        return [each.event async for each in events]


def expected(selection: Selection) -> list[Event]:
    """What the filters ask for, by their definition (NIP-01) and nothing else."""
    there = [event for event in EVENTS if selection.relay is None or selection.relay in SEEN[event.id]]
    chosen = {} if selection.filters else {event.id: event for event in there}
    for each in selection.filters:
        matching = [event for event in there if each.matches(event)]
        newest = sorted(matching, key=lambda event: (-event.created_at, event.id))[: each.limit]
        chosen |= {event.id: event for event in newest}
    return sorted(chosen.values(), key=lambda event: KEY[event.id])


def a_filter(rng: random.Random) -> Filter:
    """Any filter that has something to find among the events."""
    model = rng.choice(EVENTS)
    others = rng.sample(EVENTS, 5)
    choices = {
        "ids": tuple({event.id for event in [model, *others]}),
        "authors": tuple(rng.sample(AUTHORS, rng.randrange(1, 4))),
        "kinds": tuple({model.kind, rng.choice([0, 1, 3, 9])}),
        "since": max(0, model.created_at - rng.choice([0, 86_400, 86_400 * 30])),
        "until": model.created_at + rng.choice([0, 86_400, 86_400 * 30]),
        "limit": rng.choice([0, 1, 2, 7, 50, 1000]),
    }
    fields = {name: choices[name] for name in rng.sample(list(choices), rng.randrange(4))}
    tags: dict[str, tuple[str, ...]] = {}
    for letter in rng.sample("tpe", rng.choice([0, 0, 1, 2])):
        tags[letter] = tuple(rng.sample(["a", "b", "nostr", "ä", "nul\0", AUTHORS[0], "absent"], rng.randrange(1, 4)))
    return Filter(tags=tags, **fields)  # type: ignore[arg-type]  # the values of each name are of its type


async def test_an_export_is_what_its_filters_ask_for_in_order(pool: Pool) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    found = 0
    for _ in range(150):
        filters = tuple(a_filter(rng) for _ in range(rng.choice([0, 1, 1, 1, 2, 3])))
        relay = rng.choice([None, None, None, RELAYS[0], RELAYS[2]])
        selection = Selection(filters, relay)
        events = await exported(pool, selection)
        assert events == expected(selection), (seed, selection)
        found += len(events)
    assert found > 1000, f"the filters of seed {seed} find too little to show anything"


async def test_all_events_come_back_as_they_were_signed(pool: Pool) -> None:
    events = await exported(pool, Selection())
    assert events == expected(Selection())
    assert len(events) == len(EVENTS)


async def test_times_and_limits_beyond_any_row_are_no_errors(pool: Pool) -> None:
    assert await exported(pool, Selection((Filter(since=2**70),))) == []
    assert len(await exported(pool, Selection((Filter(until=2**70, limit=2**70),)))) == len(EVENTS)


async def test_sightings_are_lines_that_bundles_have_too(pool: Pool) -> None:
    pairs: set[tuple[str, str, int]] = set()
    plain = []
    async with pool.acquire() as connection, aclosing(export(connection, Selection(sightings=True))) as events:
        async for each in events:
            text = lines(each, sightings=True)
            if not each.seen:
                assert text == encode_event(each.event) + b"\n"
                plain.append(each.event.id)
                continue
            for line in decode_lines(text):
                assert isinstance(line, BundleLine)
                assert line.event == encode_event(each.event)
                pairs.add((each.event.id, line.relay or "", line.seen_at_ms))
    assert pairs == {(event_id, url, at_ms) for event_id, seen in SEEN.items() for url, at_ms in seen.items()}
    assert sorted(plain) == sorted(event_id for event_id, seen in SEEN.items() if not seen)


async def test_sightings_of_one_relay_alone(pool: Pool) -> None:
    selection = Selection((Filter(kinds=(1,)),), RELAYS[1], sightings=True)
    async with pool.acquire() as connection, aclosing(export(connection, selection)) as events:
        found = [each async for each in events]
    assert [each.event for each in found] == expected(replace(selection, sightings=False))
    assert {seen.relay for each in found for seen in each.seen} == {RELAYS[1]}


async def test_an_unknown_relay_is_an_error(pool: Pool) -> None:
    with pytest.raises(UnknownRelayError, match="no event was ever seen there"):
        await exported(pool, Selection(relay="wss://unknown.example"))


async def test_what_is_hidden_is_left_out_and_counts_for_no_limit(pool: Pool) -> None:
    normal = sorted((event for event in EVENTS if event.kind == 1), key=lambda event: KEY[event.id])
    newest = Filter(kinds=(1,), limit=5)
    deleted, expired, vanished = normal[-1], normal[-2], normal[-3]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO deletions_by_id VALUES ($1, $2, $3, $4)",
            *(bytes.fromhex(deleted.id), START_S, b"request", bytes.fromhex(deleted.pubkey)),
        )
        await connection.execute(
            "INSERT INTO expirations VALUES ($1, $2, 1)", expired.created_at, bytes.fromhex(expired.id)
        )
        await connection.execute(
            "INSERT INTO vanish_requests VALUES ($1, $2, $3, $4)",
            *(bytes.fromhex(vanished.pubkey), vanished.created_at, b"request", ["ALL_RELAYS"]),
        )
    gone = {Hide.DELETION: {deleted.id}, Hide.EXPIRATION: {expired.id}}
    gone[Hide.VANISH] = {e.id for e in normal if e.pubkey == vanished.pubkey and e.created_at <= vanished.created_at}
    for hide in ([Hide.DELETION], [Hide.EXPIRATION], [Hide.VANISH], list(Hide), []):
        left = [event for event in normal if not any(event.id in gone[why] for why in hide)]
        found = await exported(pool, Selection((newest,), hide=frozenset(hide)))
        left = sorted(left, key=lambda event: (-event.created_at, event.id))[:5]
        assert found == sorted(left, key=lambda event: KEY[event.id]), hide
        assert await exported(pool, Selection((newest,))) == expected(Selection((newest,)))


async def test_a_hash_or_a_prefix_alone_decides_nothing(pool: Pool) -> None:
    """As if somebody had ground an id, a key or a tag until its first 8 bytes were those of another."""
    changed = [event for event in EVENTS if event.kind == 1][:20]
    assert {"\0" in str(event.tags) + event.content for event in changed} == {True, False}
    author, event_id = "11" * 32, "22" * 32
    async with pool.acquire() as connection:
        before = await connection.fetch("SELECT * FROM events WHERE kind = 1")
        await connection.execute(
            "UPDATE events SET tag_hashes = tag_hashes || $1::bigint, pubkey_prefix = $2, id_prefix = $3 "
            "WHERE kind = 1",
            *(tag_hash("t", "absent"), key_prefix(bytes.fromhex(author)), key_prefix(bytes.fromhex(event_id))),
        )
        try:
            for wanted in (Filter(tags={"t": ("absent",)}), Filter(authors=(author,)), Filter(ids=(event_id,))):
                assert await exported(pool, Selection((wanted,))) == []
        finally:
            await connection.execute("DELETE FROM events WHERE kind = 1")
            await connection.executemany("INSERT INTO events SELECT ($1::events).*", [(row,) for row in before])
    assert await exported(pool, Selection()) == expected(Selection())


async def test_a_switch_to_other_tables_waits_for_an_export(pool: Pool) -> None:
    async with pool.acquire() as connection, pool.acquire() as other:
        async with aclosing(export(connection, Selection())) as events:
            await anext(events)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute("BEGIN; LOCK TABLE sink_offsets IN ACCESS EXCLUSIVE MODE NOWAIT")
            await other.execute("ROLLBACK")
            # Nothing else waits: batches and rules of erasure go on.
            async with other.transaction():
                await other.execute("LOCK TABLE sink_offsets, events, sightings IN ROW EXCLUSIVE MODE NOWAIT")
        async with other.transaction():
            await other.execute("LOCK TABLE sink_offsets IN ACCESS EXCLUSIVE MODE NOWAIT")


async def test_the_indexes_of_the_table_serve_the_conditions(pool: Pool) -> None:
    cases = [
        (Filter(ids=(EVENTS[0].id,)), "id_prefix"),
        (Filter(authors=(AUTHORS[0],)), "pubkey_prefix_kind"),
        (Filter(kinds=(1,), since=START_S), "kind_created_at"),
        (Filter(tags={"t": ("a", "b")}), "tag_hashes"),
    ]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        for wanted, index in cases:
            parameters = Parameters()
            where = condition(wanted, parameters)
            plan = await connection.fetch(f"EXPLAIN SELECT * FROM events WHERE {where}", *parameters.values)
            assert index in str(plan), (wanted, plan)
