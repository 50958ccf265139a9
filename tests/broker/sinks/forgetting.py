"""Events that delete, vanish, expire or are for somebody, in all combinations, and what the protocol says of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from core.archive.connection import Connection
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.records import event_record, sighting
from schemas.records.sighting import Sighting
from sinks.tables import TABLES, Tables
from sinks.tables.topic_table import AnyTopicTable, Record
from sinks.tables.topic_tables.events import EVENTS
from sinks.tables.topic_tables.sightings import SIGHTINGS
from sinks.writing.batch import Batch
from sinks.writing.stored_offsets import TopicIdentity, begin_offsets
from sinks.writing.writer import Writer

KEYS = [f"{number:02x}" * 32 for number in (0xA1, 0xB2, 0xC3)]
OWN_URL = "wss://own.example"
START_S = 1_790_000_000
SPAN_S = 12
"""So few seconds that equal times, and requests older than their targets, are common."""
KINDS = (1, 1, 0, 10002, 30023, 30023, 1059, 1059, 5, 5, 5, 62)
PLACES = ("", "x", "y", "x\0y", "x\ufffdy")
PARTITIONS = {table: TopicPartition(table.topic, 0) for table in (EVENTS, SIGHTINGS)}


def made(rng: random.Random, kind: int, tags: list[list[str]], *, pubkey: str | None = None, at: int = -1) -> Event:
    """An event with a right id. Every fifth holds U+0000, which keeps its tags out of reach of SQL."""
    unnamed = Event(
        "",
        pubkey or rng.choice(KEYS),
        START_S + rng.randrange(SPAN_S) if at < 0 else at,
        kind,
        tags,
        rng.randbytes(4).hex() + rng.choice(["", "", "", "", "\0"]),
        rng.randbytes(64).hex(),
    )
    return unnamed._replace(id=compute_id(unnamed))


def world(seed: int, size: int) -> list[Event]:
    """Events of few authors within few seconds; requests name some of them, and others that were never seen."""
    rng = random.Random(seed)
    events: list[Event] = []
    for _ in range(size):
        kind = rng.choice(KINDS)
        tags = _tags(rng, kind, events)
        if rng.randrange(3) == 0:
            tags.append(["expiration", rng.choice(["100", "100", str(2**39), "soon", "", "1e3"])])
        events.append(made(rng, kind, tags))
    return events


def _tags(rng: random.Random, kind: int, events: Sequence[Event]) -> list[list[str]]:
    tags: list[list[str]] = [[]] if rng.randrange(8) == 0 else []
    if kind == 30023:
        tags += [["d", rng.choice(PLACES)] for _ in range(rng.randrange(3))] + [["d"]] * rng.randrange(2)
        rng.shuffle(tags)
    elif kind == 1059:
        tags += [["p", rng.choice([*KEYS, "no key", KEYS[0].upper()])] for _ in range(rng.randrange(3))]
    elif kind == 5:
        named = [each.id for each in rng.sample(events, min(4, len(events)))] + [rng.randbytes(32).hex(), "no id"]
        tags += [["e", value] for value in named]
        address = rng.choice([f"{number}:{rng.choice(KEYS)}:" for number in ("0", "000", "10002", "1")])
        tags += [["a", address], ["a", f"30023:{rng.choice(KEYS)}:{rng.choice(PLACES)}"], ["a", "30023"], ["a"]]
    elif kind == 62:
        tags += [["relay", rng.choice(["ALL_RELAYS", "all_relays", "WSS://Own.Example:443/", "wss://other.example"])]]
    return tags


class Flags(NamedTuple):
    """What the archive says of an event; ids of requests."""

    deleted_by: str | None
    vanished_by: str | None
    expires_at: int | None


def expected_flags(events: Iterable[Event]) -> dict[str, Flags]:
    """NIP-09, NIP-59, NIP-62 and NIP-40, written down as plainly as they are: every request against every event."""
    events = sorted(events, key=lambda each: (each.created_at, each.id))
    return {each.id: Flags(_deleted_by(each, events), _vanished_by(each, events), _expires_at(each)) for each in events}


def _deleted_by(event: Event, oldest_first: Sequence[Event]) -> str | None:
    if event.kind in (5, 62):
        return None
    requests = [each for each in oldest_first if each.kind == 5]
    for request in requests:
        if ["e", event.id] in request.tags and request.pubkey in _owners(event):
            return request.id
    for request in requests:
        if request.pubkey == event.pubkey and event.created_at <= request.created_at:
            named = [value.split(":", 2) for value in _values(request, "a")]
            if any(len(parts) == 3 and [str(int(parts[0])), *parts[1:]] == _address(event) for parts in named):
                return request.id
    return None


def _vanished_by(event: Event, oldest_first: Sequence[Event]) -> str | None:
    if event.kind == 62:
        return None
    binding = [
        each
        for each in oldest_first
        if each.kind == 62
        and each.created_at >= event.created_at
        and _values(each, "relay")[0] in ("ALL_RELAYS", "WSS://Own.Example:443/")
    ]
    by_author = [each.id for each in binding if each.pubkey == event.pubkey]
    by_recipient = [each.id for each in binding if each.pubkey in _owners(event)]
    return next(iter(by_author + by_recipient), None)


def _expires_at(event: Event) -> int | None:
    values = _values(event, "expiration")
    return int(values[0]) if values and values[0].isdigit() else None


def _values(event: Event, name: str) -> list[str]:
    return [tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == name]


def _owners(event: Event) -> list[str]:
    return [event.pubkey, *(_values(event, "p") if event.kind == 1059 else [])]


def _address(event: Event) -> list[str] | None:
    if event.kind == 30023:
        places = [tag[1] if len(tag) > 1 else "" for tag in event.tags if tag and tag[0] == "d"]
        return ["30023", event.pubkey, (places or [""])[0]]
    return [str(event.kind), event.pubkey, ""] if event.kind in (0, 10002) else None


class Scribe:
    """Writes events and sightings as the sink does, batch by batch, without Kafka."""

    def __init__(self, connection: Connection, group_id: str = "scribe", tables: Tables = TABLES) -> None:
        self._connection = connection
        self._group_id = group_id
        self._writer = Writer(group_id, tables)
        self._next = dict.fromkeys(PARTITIONS.values(), 0)

    async def begin(self) -> None:
        """Store the first offsets."""
        await begin_offsets(self._connection, self._group_id, dict.fromkeys(self._next, TopicIdentity("c", None, 0, 0)))

    async def write(self, events: Iterable[Event], relay: str | None = None) -> None:
        """Write one batch, with sightings of the events by a relay, if one is named."""
        events = list(events)
        batch = Batch(1)
        values = [event_record.encode(encode_event(each), None, 1, {}) for each in events]
        self._add(batch, EVENTS, values)
        if relay is not None:
            seen = sighting.encode([Sighting(relay, 1, [(each.id, each.created_at) for each in events])])
            self._add(batch, SIGHTINGS, [seen])
        await self._writer.write(self._connection, batch)
        for tp, advance in batch.advances.items():
            self._next[tp] = advance.following

    def _add(self, batch: Batch, table: AnyTopicTable, values: Sequence[bytes]) -> None:
        tp = PARTITIONS[table]
        first = self._next[tp]
        records: list[Record] = [
            ConsumerRecord(tp.topic, tp.partition, first + n, n, 0, None, value, 0, 0, 0, ())
            for n, value in enumerate(values)
        ]
        batch.add(tp, first, records, table)
