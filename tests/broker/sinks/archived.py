"""Archives that a test fills with rows itself, without Kafka, as the sink would write them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

import asyncpg

from core.archive.connection import Connection, Pool
from core.archive.rows import EVENT_COLUMNS
from schemas.nostr.event import Event
from schemas.nostr.event_id import IdForm, id_form, serialize
from schemas.nostr.signature import public_key, sign
from sinks.migrate import migrate
from sinks.rows import MOST_INDEXED, event_row
from sinks.tables import TABLES, projection
from tests.broker.sinks.conftest import fresh_database

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

START_S = 1_790_000_000
SEEN_MS = 1_795_000_000_000
RELAYS = [f"wss://relay{number}.example" for number in range(4)]
SECRETS = [bytes([number]) * 32 for number in range(1, 6)]
AUTHORS = [public_key(secret) for secret in SECRETS]


def signed(
    created_at: int, kind: int, tags: list[list[str]], content: str, *, author: int = 0, form: IdForm = IdForm.NIP01
) -> Event:
    """An event that is really signed, in the serialization asked for."""
    unnamed = Event("", AUTHORS[author], created_at, kind, tags, content, "")
    data = serialize(unnamed)
    if form is IdForm.DEL:
        data = data.replace(b"\x7f", rb"\u007f")
    digest = sha256(data).digest()
    return unnamed._replace(id=digest.hex(), sig=sign(SECRETS[author], digest))


def difficult() -> list[Event]:
    """Events of the shapes that archives lose: NUL, U+007F in both forms, long contents, many tags, odd times."""
    return [
        signed(START_S, 1, [["t", "nul\0tag"], ["t", "plain"]], "a\0b"),
        signed(START_S + 1, 1, [["x", "\x7f"]], "del\x7f", form=IdForm.DEL),
        signed(START_S + 2, 1, [], "del\x7f", form=IdForm.NIP01),
        signed(START_S + 3, 30_023, [["d", ""]], 'é😀\n\t"\\' * 20_000),
        signed(START_S + 4, 3, [["p", f"{number:064x}"] for number in range(2000)], ""),
        signed(0, 1, [["expiration", "1"]], "expired long ago"),
        signed(2**40 - 1, 1, [[], [""], ["t"], ["t", ""]], "far away"),
        signed(START_S + 5, 5, [["e", "f" * 64]], ""),
        signed(START_S + 5, 1059, [["p", AUTHORS[1]]], "gift", author=1),
        signed(START_S + 5, 0, [], "{}", author=2),
        *(signed(START_S + 6, kind, [*_too_many(), *LAST_TAGS], content) for kind, content in ((1, ""), (1059, "\0"))),
    ]


LAST_TAGS = [["t", "a", "more"], ["t", "nul\0"], ["e", "ä"], ["p", AUTHORS[0]]]
"""Of an event that has more tags than are indexed: these are not."""


def _too_many() -> list[list[str]]:
    return [["x", str(number)] for number in range(MOST_INDEXED)]


def some_events(count: int, seed: int = 1) -> list[Event]:
    """Events of few authors, kinds, tags and times, so that any two conditions meet; many share a second."""
    rng = random.Random(seed)
    values = ["a", "b", "nostr", "ä", "nul\0", AUTHORS[0]]
    return [
        signed(
            START_S + rng.randrange(40) * 86_400 * 3,
            rng.choice([0, 1, 3, 5, 1059, 30_023]),
            [[rng.choice("tpe"), *rng.sample(values, rng.randrange(3))] for _ in range(rng.randrange(4))],
            rng.choice(["", "text", "\0", "\x7f"]) + str(number),
            author=rng.randrange(len(SECRETS)),
        )
        for number in range(count)
    ]


async def fill(
    connection: Connection, events: Iterable[Event], sightings: Mapping[str, Mapping[str, int]] | None = None
) -> None:
    """Write rows of events, and by event id the time at which each relay was first seen to have it."""
    events = list(events)
    rows = []
    for event in events:
        form = id_form(event)
        assert form is not None
        rows.append(event_row(event, form))
    projections = TABLES.projections
    derived = projection.derive(projections, projection.picked(projections, rows))
    await projection.write(connection, projections, derived)
    # A trigger looks up in `nul_tags` the address of an event that keeps its bytes.
    await connection.copy_records_to_table("events", records=sorted(rows), columns=EVENT_COLUMNS)
    await connection.execute("INSERT INTO relays (url) SELECT unnest($1::text[])", RELAYS)
    numbers = {row["url"]: row["id"] for row in await connection.fetch("SELECT id, url FROM relays")}
    times = {event.id: event.created_at for event in events}
    await connection.copy_records_to_table(
        "sightings",
        records=[
            (times[event_id], bytes.fromhex(event_id), [numbers[url] for url in seen], list(seen.values()))
            for event_id, seen in (sightings or {}).items()
        ],
        columns=("created_at", "id", "relay_ids", "seen_ats_ms"),
    )


@asynccontextmanager
async def archive(servers: Servers, name: str) -> AsyncIterator[Pool]:
    """A migrated database of its own."""
    async with (
        fresh_database(servers, name) as dsn,
        asyncpg.create_pool(dsn.get_secret_value(), min_size=1, max_size=4) as pool,
    ):
        async with pool.acquire() as connection:
            await migrate(connection)
        yield pool
