"""Topics, schema, registry, import and digest by the commands that people type."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from core import postgres
from core.kafka import end_offsets
from core.kafka.topics import describe_topics
from core.settings import Settings
from deploy.demo.events import generate
from schemas.digest import Digest
from schemas.topics import TOPICS, physical
from tests.broker.bigbrotr.conftest import LIMIT_S, Command
from tests.environment import environment
from tests.pipeline.archive import Archive
from tests.pipeline.services import Services
from tests.waiting import until

pytestmark = pytest.mark.broker

EVENTS = generate(300, seed=11, base_time_s=1_700_000_000, span_s=86_400)
RELAY = "wss://relay.example.com"


def altered(wire: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(wire), **fields}).encode()


def digest_of(ids: list[str], relay: str | None) -> Digest:
    digest = Digest()
    for event_id in ids:
        digest.add_event(event_id)
        if relay is not None:
            digest.add_pair(event_id, relay)
    return digest


async def test_topics_are_made_once_listed_and_never_resized(command: Command) -> None:
    made = (await command("topics", "create", "--json")).json()
    assert [(topic["name"], topic["action"]) for topic in made] == [(topic.name, "created") for topic in TOPICS]
    again = (await command("topics", "create", "--json")).json()
    assert {topic["action"] for topic in again} == {"unchanged"}
    listed = (await command("topics", "list", "--json")).json()
    assert [topic["name"] for topic in listed] == [topic.name for topic in TOPICS]
    assert {(topic["partitions"], topic["records"]) for topic in listed} == {(4, 0)}
    shown = await command("topics", "list")
    assert "raw.bundles" in shown.stdout


async def test_a_wrong_password_or_database_is_a_sentence(command: Command, settings: Settings) -> None:
    right = postgres.dsn(settings)
    user, _, rest = right.partition("@")
    for wrong in (f"{user}x@{rest}", f"{right}x"):
        refused = await command("digest", BIGBROTR_POSTGRES__DSN=wrong)
        assert refused.returncode == 2
        assert "PostgreSQL refuses: " in refused.stderr
        assert "BIGBROTR_POSTGRES__DSN" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert user.rpartition(":")[2] not in refused.stderr


async def test_the_schema_is_made_once_and_needed(command: Command) -> None:
    too_early = await command("digest")
    assert too_early.returncode == 1
    assert "bigbrotr migrate" in too_early.stderr
    assert "Traceback" not in too_early.stderr
    first, second = await command("migrate"), await command("migrate")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "applied 0001" in first.stderr
    assert "applied" not in second.stderr
    empty = (await command("digest", "--json")).json()
    assert (empty["events"], empty["sightings"]) == (0, 0)


async def test_an_import_without_waiting_says_what_is_safe_in_kafka(command: Command) -> None:
    lines = [EVENTS[0].wire, b"{}", b"x"]
    done = await command("import", "-", "--json", stdin=b"\n".join(lines))
    assert done.returncode == 0
    result = done.json()
    assert (result["lines"], result["sent"], result["refused"]) == (3, 1, {"no_id": 1, "not_json": 1})
    listed = {topic["name"]: topic["records"] for topic in (await command("topics", "list", "--json")).json()}
    assert (listed["raw.bundles"], listed["rejections"]) == (1, 2)
    assert result["not_running"] == ["processor", "sink"]
    assert "1 line is in Kafka and not archived yet, as no processor and no sink runs" in done.stderr
    assert "--wait" in done.stderr


async def test_what_was_sent_without_waiting_is_archived_by_the_services(command: Command, settings: Settings) -> None:
    assert (await command("migrate")).returncode == 0
    first, second = EVENTS[0].wire, EVENTS[1].wire
    assert (await command("import", "-", stdin=first)).returncode == 0
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    services = Services(settings)
    services.start("processor", "sink")
    services.wait_until_ready()
    try:
        told = await command("import", "-", "--json", stdin=second)
        assert (told.json()["not_running"], "services that run archive them" in told.stderr) == ([], True), told.stderr
        await Archive(settings, services).until_counts(2, 0)
    finally:
        services.stop()
    assert (await command("digest", "--json")).json()["events"] == 2


async def test_an_interrupted_import_says_what_was_sent(settings: Settings) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bigbrotr", "import", "-"),
        env=environment(settings),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    # It takes 500 lines from a pipe before it sends them.
    process.stdin.write(b"".join(event.wire + b"\n" for event in EVENTS * 2))
    await process.stdin.drain()
    topic = physical(settings.kafka.topic_prefix, "raw.bundles")

    async def sent() -> bool:
        try:
            return sum((await end_offsets(settings, [topic])).values()) > 0
        except KafkaError:  # the topic is not made yet
            return False

    await until(sent, "lines in Kafka", LIMIT_S)
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert process.returncode == 130, said.decode()
    assert b"interrupted: 500 lines were sent and stay in Kafka" in said
    assert b"It is safe to repeat the import" in said
    assert b"Traceback" not in said


async def test_a_waiting_import_accounts_for_every_line(command: Command, settings: Settings, tmp_path: Path) -> None:
    ids = [event.id for event in EVENTS]
    lines = [event.wire for event in EVENTS]
    bad = [
        altered(lines[0], sig="0" * 128),
        altered(lines[1], content="altered"),
        altered(lines[2], kind="1"),
        b'{"no": "id"}',
        b"not json",
        b"\xff\x00",
        b"y" * (2 * 1024 * 1024),
    ]
    file = tmp_path / "events.gz"
    file.write_bytes(gzip.compress(b"\n".join([*bad, *lines, *lines[:50], b""])))

    first = await command("import", str(file), "--wait", "--json", "--relay", RELAY)
    assert first.returncode == 0, first.stderr
    expected: dict[str, Any] = {
        "lines": 357,
        "archived": 300,
        "new": 300,
        "already_archived": 0,
        "duplicates": 50,
        "refused": {
            "bad_signature": 1,
            "id_mismatch": 1,
            "bad_field": 1,
            "no_id": 1,
            "not_json": 2,
            "too_large": 1,
        },
        "quarantined": {},
        "erased": {},
        "missing": 0,
        "complete": True,
    }
    assert first.json() == {**first.json(), **expected}

    digest = (await command("digest", "--json")).json()
    assert digest["digest"] == digest_of(ids, RELAY).hexdigest()

    (another,) = generate(1, seed=12, base_time_s=1_700_000_000, span_s=60)
    (tmp_path / "again").write_bytes(b"\n".join([*bad, *lines, *lines[:49], another.wire]))
    second = await command("import", str(tmp_path / "again"), "--wait", "--json")
    assert second.returncode == 0, second.stderr
    changed = {"archived": 301, "new": 1, "already_archived": 300, "duplicates": 49}
    assert second.json() == {**second.json(), **expected, **changed}
    wanted = digest_of(ids, RELAY)
    wanted.add_event(another.id)
    found = (await command("digest", "--json")).json()
    assert found["digest"] == wanted.hexdigest(), "an import again changes nothing but for what is new"
    (events,) = await describe_topics(settings, "events")
    assert sum(events.end_offsets.values()) == 301, "other services of another import publish nothing again"

    status = (await command("status", "--json")).json()
    assert status["servers"] == {"kafka": "reachable", "postgres": "reachable"}
    assert status["services"] == []
    assert status["counts"]["archived"] == 301
    assert (status["processor_lag"], status["sink_lag"]) == (0, 0)


async def test_a_damaged_file_fails_and_what_came_before_is_archived(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress(b"\n".join(event.wire for event in EVENTS))[:-2000])
    # A sink that takes its time: the account must not be made before it has stored everything.
    done = await command("import", str(file), "--wait", "--json", BIGBROTR_SINK__BATCH_AGE_MS="3000")
    assert done.returncode == 1
    assert "cut.gz: damaged after line" in done.stderr
    result = done.json()
    assert result["complete"]
    assert 0 < result["archived"] == result["lines"] < 300
