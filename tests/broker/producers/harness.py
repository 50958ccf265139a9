"""A connector inside the test's own loop, on the real Kafka, and what it has written there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from core.kafka import consumer, end_offsets, publishing, read_to_end, stop_client
from core.settings import Settings
from producers.connector.service import ConnectorService
from producers.operator.listed_relays import parse_relays
from producers.targets import full_name
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key, sign
from schemas.partition import relay_partition
from schemas.records.bundle import BundleLine, decode_lines
from schemas.records.coverage import Coverage
from schemas.records.rejection import Rejection
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.pipeline.registry import publish_relays

SECRET = (3).to_bytes(32)
"""The secret key of BIP-340's first test vector: known to everybody."""


TOPIC_POLL_S = 0.2
"""A look reads a whole topic."""


def signed(created_at: int, content: str = "", kind: int = 1) -> dict[str, Any]:
    event = Event("", public_key(SECRET), created_at, kind, [["t", "test"]], content, "")
    event_id = compute_id(event)
    return event._replace(id=event_id, sig=sign(SECRET, bytes.fromhex(event_id)))._asdict()


def verbatim(event: dict[str, Any]) -> bytes:
    return encode_event(Event(**event))


def stored_events(count: int, *, step_s: int = 7) -> list[dict[str, Any]]:
    now_s = int(time.time())
    return [signed(now_s - 60 - number * step_s, f"event {number}") for number in range(count)]


async def publish(settings: Settings, urls: Sequence[str]) -> None:
    await publish_relays(settings, parse_relays(urls, "test", allow_private=True).relays.values(), allow_private=True)


async def registered(settings: Settings) -> dict[str, RelayRecord]:
    """What `relays` says, by URL."""
    found = await read_to_end(settings, full_name(settings, "relays"), range(settings.kafka.partitions))
    return {key.decode(): RelayRecord.decode(value) for key, value in found.items()}


async def register(settings: Settings, url: str, record: RelayRecord | None) -> None:
    """Write a record of `relays`, or a tombstone, as the registry does."""
    host = normalize(url, allow_private=True).host
    async with publishing(settings) as publisher:
        partition = relay_partition(host, settings.kafka.partitions)
        value = record.encode() if record is not None else None
        await publisher.send(full_name(settings, "relays"), value, url.encode(), partition)
        await publisher.flush()


@asynccontextmanager
async def connector(settings: Settings) -> AsyncIterator[ConnectorService]:
    service = ConnectorService(settings)
    running: asyncio.Task[None] | None = None
    try:
        await service.start()
        running = asyncio.create_task(service.run())
        yield service
        service.stopping.set()
        await running
        service.background.check()
        await service.drain()
        service.background.check()
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await service.close()


def relay_status(service: ConnectorService, url: str) -> dict[str, Any]:
    for relay in service.status()["relays"]:  # type: ignore[attr-defined]
        if relay["url"] == url:
            return dict(relay)
    crawl = {"done": False, "problem": None}
    return {"url": url, "state": "unknown", "received": 0, "refused": 0, "last_error": None, "crawl": crawl}


async def records(settings: Settings, name: str) -> list[ConsumerRecord[bytes, bytes]]:
    """Everything in a topic up to now."""
    topic = full_name(settings, name)
    ends = await end_offsets(settings, [topic])
    client = await consumer(settings)
    found: list[ConsumerRecord[bytes, bytes]] = []
    try:
        client.assign(list(ends))
        await client.seek_to_beginning(*ends)

        async def done(tp: TopicPartition) -> bool:
            return int(await client.position(tp)) >= ends[tp]

        while not all([await done(tp) for tp in ends]):
            for batch in (await client.getmany(timeout_ms=200)).values():
                found += batch
    finally:
        await stop_client(client)
    return found


async def lines(settings: Settings) -> list[BundleLine]:
    found: list[BundleLine] = []
    for record in await records(settings, "raw.bundles"):
        for line in decode_lines(record.value or b""):
            assert isinstance(line, BundleLine)
            found.append(line)
    return found


async def rejections(settings: Settings) -> list[tuple[Rejection, bytes]]:
    return [
        (Rejection.from_headers(record.headers), record.value or b"")
        for record in await records(settings, "rejections")
    ]


async def coverage(settings: Settings) -> dict[str, Coverage]:
    found = await read_to_end(settings, full_name(settings, "coverage"), range(settings.kafka.partitions))
    return {key.decode(): Coverage.decode(value) for key, value in found.items()}
