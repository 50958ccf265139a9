"""The whole stack with the profile demo: what it archives, and what an operator and others find of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from bigbrotr.services import BY_NAME
from core import kafka
from core.kafka.topics import describe_topics
from core.settings import KafkaSettings, Settings
from tests.broker.api.relay.client import connected
from tests.containers.demo.plan import BASE_TIME_S, EVENTS, PARTITIONS, POOL_MIN, SEED
from tests.containers.stack import SERVERS, SERVICES, Stack
from tests.pipeline.world import connect

DEMO_S = 180  # 20 s on an idle machine

pytestmark = [pytest.mark.containers, pytest.mark.timeout(420)]


async def test_everything_that_relays_took_is_archived_and_nothing_else(archived: Stack) -> None:
    report = archived.filled()
    assert (report["events"], report["refused"]) == (EVENTS, 0), report["refusals"]
    digest = await archived.archive.digest()
    assert (digest.events_hex(), digest.pairs_hex()) == (report["digest"]["events"], report["digest"]["pairs"])
    assert Counter(url for _, url in await archived.archive.sightings()) == report["per_relay"]


def test_the_command_for_people_tells_the_digest_that_make_demo_has(archived: Stack, tmp_path: Path) -> None:
    told = archived.run("bigbrotr", "digest", "--json")
    assert told.exit_code == 0, told
    plan = ["--events", str(EVENTS), "--seed", str(SEED), "--base-time-s", str(BASE_TIME_S), "--live-s", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "bigbrotr", "--data-dir", str(tmp_path), "demo", "--once", *plan, "--json"],
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    same = ("events", "events_digest", "sightings")
    here = json.loads(done.stdout)["archived"]
    assert [json.loads(told.stdout)[key] for key in same] == [here[key] for key in same]


async def test_any_kafka_tool_on_this_machine_reads_the_topics(archived: Stack) -> None:
    consumer = AIOKafkaConsumer(
        "nostr.events",
        bootstrap_servers=f"127.0.0.1:{archived.kafka_port}",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username="bigbrotr",
        sasl_plain_password=archived.secret("kafka_password"),
        auto_offset_reset="earliest",
    )
    found = set()
    async with consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found |= {(record.key or b"").hex() for record in records}
    assert found == set(await archived.archive.events())


async def test_programs_and_nostr_clients_of_this_machine_read_the_archive(archived: Stack) -> None:
    notes = [event for event in (await archived.archive.events()).values() if event.kind == 1]
    newest = [event.id for event in sorted(notes, key=lambda event: (-event.created_at, event.id))][:30]
    url = f"http://127.0.0.1:{archived.api_port}"
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/events?kinds=1&limit=30") as answer:
        assert [event["id"] for event in (await answer.json())["events"]] == newest
    async with connected(url) as client:
        assert [event["id"] for event in await client.events({"kinds": [1], "limit": 30})] == newest
    told = archived.run("bigbrotr", "status", "--json")
    assert json.loads(told.stdout)["api"] == {"url": "http://api:8000"}, told


@pytest.mark.parametrize(
    ("login", "words"),
    [
        ({}, "asks for a user name and a password"),
        (
            {"security_protocol": "SASL_PLAINTEXT", "username": "bigbrotr", "password": "hunter2-correct-horse"},
            "refuses the user or the password",
        ),
    ],
    ids=["none", "wrong"],
)
async def test_kafka_refuses_who_has_not_its_password(demo_stack: Stack, login: dict[str, str], words: str) -> None:
    given = KafkaSettings.model_validate({"bootstrap_servers": f"127.0.0.1:{demo_stack.kafka_port}"} | login)
    with pytest.raises(kafka.KafkaRefusedError, match=words):
        await kafka.admin(Settings(kafka=given))


async def test_the_reader_may_read_and_nothing_else(demo_stack: Stack) -> None:
    connection = await connect(demo_stack.settings("reader"))
    try:
        assert await connection.fetchval("SELECT count(*) >= 0 FROM events")
        for statement in (
            "DELETE FROM events",
            "UPDATE sink_offsets SET next_offset = 0",
            "INSERT INTO relays (url) VALUES ('wss://mine.example')",
            "DROP TABLE events",
            "CREATE TABLE mine ()",
            "CREATE SCHEMA mine",
        ):
            attempt = connection.transaction()
            await attempt.start()
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            await attempt.rollback()
    finally:
        await connection.close()


async def test_services_are_connected_as_the_roles_that_suffice_for_them(demo_stack: Stack) -> None:
    connection = await connect(demo_stack.settings("postgres"))
    try:
        rows = await connection.fetch(
            "SELECT usename, host(client_addr) FROM pg_stat_activity WHERE usename LIKE 'big%'"
        )
    finally:
        await connection.close()
    found = Counter((_service_at(demo_stack, address), user) for user, address in rows if address is not None)
    assert found[("sink", "bigbrotr_writer")] >= POOL_MIN  # as .env says
    assert found[("api", "bigbrotr_reader")]
    assert set(found) <= {
        ("sink", "bigbrotr_writer"),
        ("connector", "bigbrotr_reader"),
        ("processor", "bigbrotr_reader"),
        ("api", "bigbrotr_reader"),
        (None, "bigbrotr_reader"),
    }


async def test_settings_of_the_mounted_file_reach_the_commands(demo_stack: Stack) -> None:
    states = await describe_topics(demo_stack.settings("reader"))
    assert {state.partitions for state in states} == {PARTITIONS}


def test_a_stack_with_nothing_to_do_is_healthy(archived: Stack) -> None:
    # These are started with COMPOSE_PROFILES=discover only.
    for name in (*BY_NAME.keys() - {"seeder", "finder", "prober"}, *SERVERS):
        (container,) = archived.ps(name)
        assert (container.State, container.Health) == ("running", "healthy"), name
        assert archived.inspect(container.Name or "")["RestartCount"] == 0, name
    for name in SERVICES:
        assert archived.exec(name, "healthcheck").exit_code == 0, name


def _service_at(stack: Stack, address: str) -> str | None:
    """The service whose container has an address; None for anything else, as this machine."""
    for name in SERVICES:
        for container in stack.names(name):
            networks = stack.inspect(container)["NetworkSettings"]["Networks"].values()
            if address in {network["IPAddress"] for network in networks}:
                return name
    return None
