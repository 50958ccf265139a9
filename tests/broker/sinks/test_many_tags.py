"""An event with more tags than are indexed costs the index little, and is found and erased by each of its tags."""

from __future__ import annotations

import random

import pytest

from core import kafka
from core.archive.connection import Connection, Pool
from core.archive.event_query import Parameters, condition
from core.settings import Settings
from schemas.lookup import MORE_TAGS
from schemas.nostr.filters import Filter
from schemas.records.erasure import Cause, Erasure
from sinks.erasure import open_erasures
from sinks.rows import MOST_INDEXED, tag_hashes
from tests.broker.sinks.forgetting import KEYS, START_S, Scribe, made

pytestmark = pytest.mark.broker

MANY = [["t", str(number)] for number in range(78_000)]
"""As many as an event of a mebibyte has room for."""


async def index_bytes(connection: Connection) -> int:
    """What the index of tags takes, of all months."""
    await connection.execute("REINDEX TABLE events")
    size: int = await connection.fetchval(
        "SELECT sum(pg_relation_size(indexrelid)) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "JOIN pg_am ON pg_am.oid = relam WHERE amname = 'gin' AND relkind = 'i'"
    )
    return size


async def found(connection: Connection, wanted: Filter, *, exact_tags: bool) -> set[bytes]:
    parameters = Parameters()
    where = condition(wanted, parameters, exact_tags=exact_tags)
    return {row["id"] for row in await connection.fetch(f"SELECT id FROM events WHERE {where}", *parameters.values)}


async def test_many_tags_cost_a_part_of_the_index_and_each_is_found(settings: Settings, pool: Pool) -> None:
    many = made(random.Random(1), 1, MANY, at=START_S)
    few = made(random.Random(2), 1, [["t", "5"], ["t", "77999"]], at=START_S)
    async with pool.acquire() as connection:
        scribe = Scribe(connection)
        await scribe.begin()
        empty = await index_bytes(connection)
        await scribe.write([many, few])
        cut = await index_bytes(connection) - empty
        for value, expected in (
            ("5", [many, few]),
            ("77999", [many, few]),
            ("6", [many]),
            ("40000", [many]),
            ("x", []),
        ):
            for exact_tags in (True, False):
                ids_found = await found(connection, Filter(tags={"t": (value, "y")}), exact_tags=exact_tags)
                assert ids_found == {bytes.fromhex(each.id) for each in expected}, (value, exact_tags)
        # As older rows are, which have the numbers of all their tags.
        await connection.execute(
            "UPDATE events SET tag_hashes = $2 WHERE id = $1", bytes.fromhex(many.id), tag_hashes(MANY)
        )
        whole = await index_bytes(connection) - empty
        assert await found(connection, Filter(tags={"t": ("40000",)}), exact_tags=True) == {bytes.fromhex(many.id)}
    assert cut * 10 < whole, "4.4 MB and 0.3 were measured"


@pytest.mark.parametrize("content", ["", "\0"], ids=["columns", "raw"])
async def test_a_gift_wrap_is_erased_by_a_recipient_behind_many_tags(
    settings: Settings, pool: Pool, content: str
) -> None:
    rng = random.Random(3)
    tags = [*MANY[: MOST_INDEXED + 1], ["p", KEYS[1]], ["x", content]]
    wraps = [made(rng, 1059, tags, pubkey=KEYS[0], at=START_S) for _ in range(3)]
    other = made(rng, 1059, [*tags[:-2], ["p", KEYS[2]]], pubkey=KEYS[0], at=START_S)
    publisher = await kafka.open_publisher(settings)
    try:
        async with pool.acquire() as connection:
            scribe = Scribe(connection)
            await scribe.begin()
            await scribe.write([*wraps, other], "wss://relay.example")
            assert await connection.fetchval(f"SELECT count(*) FROM events WHERE {MORE_TAGS} = ANY (tag_hashes)") == 4
            eraser = (await open_erasures(settings, pool, publisher)).eraser
            vanished = Erasure(pubkey=KEYS[1], until_s=START_S, cause=Cause.VANISH, erased_at_ms=1)
            asked = Erasure(id=other.id, pubkey=KEYS[2], cause=Cause.DELETION, erased_at_ms=1)
            await eraser.apply([vanished])
            assert [row["id"] for row in await connection.fetch("SELECT id FROM events")] == [bytes.fromhex(other.id)]
            await eraser.apply([asked])
            assert await connection.fetchval("SELECT count(*) FROM events") == 0
    finally:
        await publisher.close()
