"""Each of ours as one container of our image: `topics create`, the processor and the sink, each with what it needs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import asyncpg
import pytest
from testcontainers.core.container import DockerContainer

from core.kafka.topics import describe_topics
from core.settings import Settings
from deploy.demo.events import generate
from schemas.nostr.event import encode_event, parse_event
from schemas.reasons import Reason
from schemas.topics import TOPICS, configs
from tests.broker.processors.harness import (
    all_committed,
    bundles,
    event_bytes,
    line,
    produce,
    records,
    rejected,
    sighted,
)
from tests.broker.sinks.material import feed
from tests.containers.engine import last_words
from tests.containers.single import Servers, ours, running_servers, stop
from tests.pipeline.archive import Archive
from tests.relays.forgery import with_another_content, with_another_signature

WRITER_PASSWORD = "of the writer"
RELAYS = ("wss://a.example", "wss://b.example")
USER = "10001"

pytestmark = [pytest.mark.containers, pytest.mark.timeout(420)]  # the first test also waits for images to be built


@pytest.fixture(scope="module")
def servers(engine: None) -> Iterator[Servers]:
    """One Kafka and one PostgreSQL for the module; every test has topics of its own, and the sink the database."""
    with running_servers() as started:
        last_words["servers"] = started.words
        yield started
        del last_words["servers"]


def run_to_its_end(servers: Servers, command: str, **env: str) -> str:
    """Run a command of ours that must succeed; return what it has printed."""
    with ours(servers, command, **env) as container:
        assert container.wait() == 0
        return container.get_logs()[0].decode()


def with_topics(servers: Servers, prefix: str) -> Settings:
    """Settings for topics that `bigbrotr topics create` has just made."""
    run_to_its_end(servers, "bigbrotr topics create", BIGBROTR_KAFKA__TOPIC_PREFIX=prefix)
    return servers.settings(prefix)


async def test_topics_create_makes_every_topic_and_changes_none_the_second_time(servers: Servers) -> None:
    settings = with_topics(servers, "made.")
    made = await describe_topics(settings)
    assert {state.name: state.partitions for state in made} == {
        topic.name: settings.kafka.partitions for topic in TOPICS
    }
    for state in made:
        assert state.configs == configs(state.name, replication_factor=1)
    with_topics(servers, "made.")
    assert await describe_topics(settings) == made


async def test_the_processor_makes_events_sightings_and_rejections_of_bundles(servers: Servers) -> None:
    settings = with_topics(servers, "judged.")
    events = generate(300, seed=1, base_time_s=int(time.time()), workers=1)
    forged = [with_another_signature(events[0].wire), with_another_content(events[1].wire)]
    lines = [line(each.id, each.wire, relay) for relay in RELAYS for each in events]
    lines += [line(each.id, raw) for each, raw in zip(events, forged, strict=False)]
    made = bundles(lines, settings.kafka.partitions)
    await produce(settings, made)
    with ours(servers, "bigbrotr service processor", BIGBROTR_KAFKA__TOPIC_PREFIX="judged.") as processor:
        await all_committed(settings, made)
        assert_confined(processor)
        assert stop(processor) == 0
    assert await event_bytes(settings) == {each.id: each.wire for each in events}
    assert len(await records(settings, "events")) == len(events)
    assert await sighted(settings) == {(each.id, relay) for relay in RELAYS for each in events}
    refused = sorted((item.reason, raw) for item, raw in await rejected(settings))
    assert refused == sorted([(Reason.BAD_SIGNATURE, forged[0]), (Reason.ID_MISMATCH, forged[1])])


async def test_the_sink_writes_rows_as_the_role_that_may_only_write(servers: Servers) -> None:
    settings = with_topics(servers, "written.")
    run_to_its_end(
        servers,
        "bigbrotr migrate",
        BIGBROTR_POSTGRES__DSN="postgresql://postgres@postgres/bigbrotr",
        BIGBROTR_POSTGRES__PASSWORD=servers.password,
        BIGBROTR_POSTGRES__WRITER_PASSWORD=WRITER_PASSWORD,
    )
    signed = generate(300, seed=2, base_time_s=int(time.time()), workers=1)
    events = [parse_event(each.wire) for each in signed]
    async with feed(settings) as feeding:
        await feeding.events(events)
        await feeding.sightings(events, RELAYS[0], int(time.time() * 1000))
        wanted = feeding.digest()
    archive = Archive(settings)
    with ours(
        servers,
        "bigbrotr service sink",
        BIGBROTR_KAFKA__TOPIC_PREFIX="written.",
        BIGBROTR_POSTGRES__DSN="postgresql://bigbrotr_writer@postgres/bigbrotr",
        BIGBROTR_POSTGRES__PASSWORD=WRITER_PASSWORD,
    ) as sink:
        await archive.until_counts(len(events), len(events))
        assert await users(settings) == {"bigbrotr_writer"}
        assert_confined(sink)
        assert stop(sink) == 0
    archived = await archive.events()
    assert {each.id: encode_event(archived[each.id]) for each in events} == {each.id: each.wire for each in signed}
    assert await archive.digest() == wanted


async def users(settings: Settings) -> set[str]:
    """As whom processes of ours are connected to the database."""
    assert settings.postgres.dsn
    connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    try:
        rows = await connection.fetch("SELECT usename FROM pg_stat_activity WHERE application_name = 'bigbrotr'")
    finally:
        await connection.close()
    return {row["usename"] for row in rows}


def assert_confined(container: DockerContainer) -> None:
    """It runs as the image's user, and writes nowhere."""
    found = container.exec(["id", "-u"])
    assert found.output.decode().strip() == USER
    for folder in ("/", "/tmp", "/var/tmp", "/opt/bigbrotr", "/run"):
        assert b"Read-only file system" in container.exec(["touch", f"{folder}/written"]).output
