"""Topic to row: what is stored is what was signed, once, whatever the order and number of deliveries."""

from __future__ import annotations

import gzip
import itertools
import random
from pathlib import Path

import orjson
import pytest

from core import kafka
from core.archive.connection import Pool
from core.settings import Settings
from schemas.nostr.event import Event, encode_event, parse_event
from schemas.nostr.judge import Policy, judge
from schemas.reasons import Verdict
from schemas.records.rejection import Rejection
from schemas.topics import physical
from sinks.integrity.digest import DigestError, archive_digest
from tests.broker.sinks.material import Feed, all_read, event, feed, running_sink
from tests.waiting import until

pytestmark = pytest.mark.broker


async def archived(pool: Pool, fed: Feed) -> None:
    """Wait until the archive holds exactly what was fed."""
    expected = fed.digest()

    async def complete() -> object:
        events = await pool.fetchval("SELECT count(*) FROM events")
        pairs = await pool.fetchval("SELECT count(*) FROM event_sightings")
        return (events, pairs) == (expected.events, expected.pairs)

    await until(complete, "everything is read")
    assert await archive_digest(pool) == expected


def real_events(shared_data: Path) -> list[tuple[Event, bytes]]:
    lines = gzip.decompress((shared_data / "real-events.jsonl.gz").read_bytes()).splitlines()
    lines += (shared_data / "events_valid_real.jsonl").read_bytes().splitlines()
    lines += [
        orjson.loads(line)["raw"].encode() if b"raw" in line else b""
        for line in (shared_data / "events_edge_synthetic.jsonl").read_bytes().splitlines()
    ]
    judged = [(judge(line, Policy()), line) for line in lines]
    return [(found.event, line) for found, line in judged if found.verdict is Verdict.ACCEPTED and found.event]


async def test_every_real_and_tricky_event_comes_back_as_signed(
    settings: Settings, pool: Pool, shared_data: Path
) -> None:
    accepted = real_events(shared_data)
    assert len(accepted) > 7457 + 780
    async with feed(settings) as fed, running_sink(settings):
        await fed.events([made for made, _ in accepted], [raw for _, raw in accepted])
        await archived(pool, fed)
    by_id = {made.id: made for made, _ in accepted}
    rows = await pool.fetch("SELECT event_json(events)::text AS event FROM events")
    for row in rows:
        given = parse_event(row["event"].encode())
        # The signature of a doubled event may be that of either copy.
        assert given._replace(sig="") == by_id[given.id]._replace(sig="")


async def test_an_event_with_nul_is_kept_as_it_was_signed(settings: Settings, pool: Pool) -> None:
    odd = event(1, content="a\0b", tags=[["t", "x\0y"], ["d"]])
    # A record of before the canonical text: white space, an unknown member, members in any order.
    raw = (
        rb'{ "content":"a\u0000b","sig":"SIG","tags":[["t","x\u0000y"],["d"]],"extra":[1.50],"kind":1,'
        rb'"created_at":TIME,"pubkey":"KEY","id":"ID"}'
    )
    for place, value in ((b"SIG", odd.sig), (b"TIME", odd.created_at), (b"KEY", odd.pubkey), (b"ID", odd.id)):
        raw = raw.replace(place, str(value).encode())
    async with feed(settings) as fed, running_sink(settings):
        await fed.events([odd], [raw])
        await archived(pool, fed)
    row = await pool.fetchrow(
        "SELECT raw, tags, content, tag_hashes, event_json(event_by_id) FROM event_by_id($1)", odd.id
    )
    assert row is not None
    assert row["raw"] == encode_event(odd)
    assert (row["tags"], row["content"]) == (None, None)
    assert len(row["tag_hashes"]) == 1
    assert parse_event(row["event_json"].encode()) == odd


async def test_replays_doubles_and_any_order_converge(settings: Settings, pool: Pool) -> None:
    events = [event(number) for number in range(300)]
    rng = random.Random(7)
    async with feed(settings) as fed, running_sink(settings):
        for _ in range(3):
            rng.shuffle(events)
            await fed.events(events)
            for relay in rng.sample(range(4), 4):
                await fed.sightings(events, f"wss://relay{relay}.example", 1000 + rng.randrange(1000))
        await archived(pool, fed)
        await all_read(settings, pool)
    # A second group reads everything again, into the same tables.
    again = settings.model_copy(
        update={"sink": settings.sink.model_copy(update={"group_id": f"{settings.sink.group_id}-again"})}
    )
    before = await archive_digest(pool)
    async with running_sink(again):
        await all_read(again, pool)
    assert await archive_digest(pool) == before


async def test_the_earliest_time_of_a_sighting_stays_in_any_order_of_arrival(settings: Settings, pool: Pool) -> None:
    made = event(1)
    times = {"wss://a.example": [300, 100, 200], "wss://b.example": [50, 60], "wss://c.example": [9]}
    async with feed(settings) as fed, running_sink(settings):
        await fed.events([made])
        count = 0
        for turn, (relay, moments) in itertools.product(range(3), times.items()):
            if turn >= len(moments):
                continue
            await fed.sightings([made], relay, moments[turn])
            count += 1

            # A batch of its own for each: what is there is appended to, or merged with, in the table.
            async def written(count: int = count) -> object:
                return (
                    await pool.fetchval("SELECT sum(next_offset) FROM sink_offsets WHERE topic LIKE '%sightings'")
                    == count
                )

            await until(written, "the events are written")
    rows = await pool.fetch("SELECT relay, seen_at_ms FROM event_sightings ORDER BY relay")
    assert [tuple(row) for row in rows] == [(relay, min(moments)) for relay, moments in times.items()]


async def test_a_bad_row_is_rejected_and_the_rest_of_its_batch_commits(settings: Settings, pool: Pool) -> None:
    # A rule that only the database knows stands for whatever a validator may have overlooked.
    await pool.execute("ALTER TABLE events ADD CONSTRAINT no_sevens CHECK (kind <> 7)")
    good = [event(number) for number in range(40)]
    bad = [event(number, kind=7) for number in (100, 101)]
    async with feed(settings) as fed:
        await fed.events(good)
        counted = fed.digest()
        await fed.events(bad)
        await fed.raw("events", 0, b"no json at all", bytes(32))
        await fed.raw("sightings", 1, b'{"relay":"wss://a.example"}\n')
        await fed.raw("events", 2, None, bytes(32))
        async with running_sink(settings):

            async def complete() -> object:
                return await pool.fetchval("SELECT sum(next_offset) FROM sink_offsets") == 45

            await until(complete, "everything is read")
    assert await archive_digest(pool) == counted
    rejected = await read_rejections(settings)
    assert {headers.reason.value for headers, _ in rejected} == {"bad_row"}
    assert {headers.stage for headers, _ in rejected} == {"sink"}
    assert sorted((headers.source_topic or "").rsplit(".")[-1] for headers, _ in rejected) == ["events"] * 3 + [
        "sightings"
    ]
    assert sum("no_sevens" in (headers.detail or "") for headers, _ in rejected) == 2
    assert {bad[0].id, bad[1].id} == {orjson.loads(v)["event"]["id"] for _, v in rejected if b'"kind":7' in v}


async def test_damage_to_a_row_is_found_by_the_digest(settings: Settings, pool: Pool) -> None:
    events = [event(number) for number in range(5)]
    async with feed(settings) as fed, running_sink(settings):
        await fed.events(events)
        await archived(pool, fed)
    await pool.execute("UPDATE events SET content = content || '!' WHERE id = $1", bytes.fromhex(events[2].id))
    with pytest.raises(DigestError, match=events[2].id):
        await archive_digest(pool)


async def read_rejections(settings: Settings) -> list[tuple[Rejection, bytes]]:
    """All that the sink has set aside."""
    topic = physical(settings.kafka.topic_prefix, "unwritten")
    ends = await kafka.end_offsets(settings, [topic])
    consumer = await kafka.consumer(settings)
    consumer.assign(list(ends))
    await consumer.seek_to_beginning()
    found: list[tuple[Rejection, bytes]] = []
    while len(found) < sum(ends.values()):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += [(Rejection.from_headers(record.headers), record.value or b"") for record in records]
    await kafka.stop_client(consumer)
    return found
