"""An archive of the version before the registry of relays is upgraded as the guide says, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiokafka.admin import NewTopic

from core.kafka import admin, publishing, stop_client
from core.settings import Settings
from deploy.embedded.stack import Servers
from producers.targets import full_name
from schemas.partition import relay_partition
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from schemas.topics import TOPICS, configs
from sinks.migrate import migrations
from tests.broker.producers.harness import registered
from tests.broker.sinks.archived import START_S, signed
from tests.broker.sinks.forgetting import Scribe
from tests.pipeline.archive import Archive
from tests.pipeline.commands import command
from tests.pipeline.services import NAMES, Services
from tests.pipeline.world import PARTITIONS, connect, drop_world, make_database, settings_for
from tests.relays.demo_process import demo_relays
from tests.waiting import until

pytestmark = pytest.mark.e2e

LAST = 11
"""The last migration of that version."""
UNKNOWN = {"relays.found", "relays.commands", "relays.candidates", "relays.documents"}
"""The topics that it did not have."""
AT_MS = 1_790_000_000_000
KEPT = [signed(START_S + number, 1, [], f"of a relay that is gone, {number}") for number in range(5)]
TRICKLE_PER_S = 20
AS_CONTAINERS = {"BIGBROTR_DISCOVERY__ENABLED": "false"}
"""A stack that is upgraded reads no relay that its operator did not list."""


@pytest.fixture
async def old(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """A world as that version left it, with some events archived."""
    settings = settings_for(servers, "upgrade", tmp_path)
    await make_database(servers, settings, [each for each in migrations() if each.version <= LAST])
    connection = await connect(settings)
    scribe = Scribe(connection)
    await scribe.begin()
    await scribe.write(KEPT, "wss://gone.example")
    await connection.close()
    client = await admin(settings)
    await client.create_topics(
        [
            NewTopic(full_name(settings, topic.name), PARTITIONS, 1, topic_configs=configs(topic.name))
            for topic in TOPICS
            if topic.name not in UNKNOWN
        ]
    )
    await stop_client(client)
    yield settings
    await drop_world(servers, settings)


async def published(settings: Settings, url: str, lane: str) -> None:
    """Write a record of a relay with the members that it had then, as `relays publish` did."""
    relay = normalize(url, allow_private=True)
    members = {
        "url": relay.url,
        "spelling": None,
        "network": "clearnet",
        "source": "publish",
        "lane": lane,
        "allowed": True,
        "allow_private": True,
        "updated_at_ms": AT_MS,
    }
    async with publishing(settings) as publisher:
        place = relay_partition(relay.host, PARTITIONS)
        await publisher.send(full_name(settings, "relays"), orjson.dumps(members), relay.url.encode(), place)
        await publisher.flush()


def as_told(record: RelayRecord) -> tuple[object, ...]:
    """What a record says of how a relay is read, and since when."""
    return (
        record.source,
        record.sources,
        record.lane,
        record.allowed,
        record.allow_private,
        record.first_seen_ms,
        record.admitted_at_ms,
    )


async def rows(settings: Settings) -> dict[str, tuple[list[str], str]]:
    """Sources and lane of each relay, by URL."""
    connection = await connect(settings)
    try:
        found = await connection.fetch("SELECT url, sources, lane FROM registry")
    finally:
        await connection.close()
    return {row["url"]: (row["sources"], row["lane"]) for row in found}


async def test_relays_of_before_the_registry_are_read_on_and_become_the_operators(
    old: Settings, tmp_path: Path
) -> None:
    with demo_relays(relays=2, events=300, copies=1.5, trickle_per_s=TRICKLE_PER_S) as relays:
        lanes = dict(zip(relays.urls, ("priority", "regular"), strict=True))
        for url, lane in lanes.items():
            await published(old, url, lane)
        await command(old, "topics", "create")
        await command(old, "migrate")

        services = Services(old, **AS_CONTAINERS)
        archive = Archive(old, services)
        services.start(*NAMES)
        try:
            first = relays.offer
            await archive.until_counts(len(KEPT) + first["events"], len(KEPT) + first["pairs"])
            assert {url: record.sources for url, record in (await registered(old)).items()} == dict.fromkeys(lanes, ())

            services.start("registry")

            async def adopted() -> bool:
                services.check()
                return all(record.sources for record in (await registered(old)).values())

            await until(adopted, "the registry has written the records anew")
            assert {url: as_told(record) for url, record in (await registered(old)).items()} == {
                url: ("operator", ("operator",), lane, True, True, AT_MS, AT_MS) for url, lane in lanes.items()
            }

            async def in_sql() -> bool:
                return await rows(old) == {url: (["operator"], lane) for url, lane in lanes.items()}

            await archive.until("the rows of the relays", in_sql)
            # What relays get from here on reaches the archive only if they are read on.
            now_events, now_pairs = await archive.counts()
            await archive.until_counts(now_events + TRICKLE_PER_S, now_pairs + TRICKLE_PER_S)
            offered = await asyncio.to_thread(relays.end_trickle)
            await archive.until_counts(len(KEPT) + offered["events"], len(KEPT) + offered["pairs"])
            assert {event.id for event in KEPT} <= (await archive.events()).keys()
            assert await archive.counts() == (len(KEPT) + offered["events"], len(KEPT) + offered["pairs"])
            services.check()
        finally:
            codes = services.stop()
    assert set(codes.values()) == {0}, codes
