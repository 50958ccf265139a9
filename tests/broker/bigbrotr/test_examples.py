"""What `examples/` and the README tell users to run gives records and rows on an archive of demo events."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core import postgres
from core.settings import Settings
from deploy.demo.events import generate
from deploy.embedded.client_files import write_client_files
from deploy.embedded.paths import DataPaths
from schemas.nostr.filters import Filter
from schemas.records.coverage import Coverage, FilterCoverage
from schemas.records.relay_health import RelayHealth
from schemas.relay_urls.relay_url import Network
from sinks.tables.topic_tables import coverage, relay_health
from sinks.tables.topic_tables.coverage import Change
from tests.broker.bigbrotr.conftest import Command
from tests.environment import environment

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RELAY = "wss://relay.example.com"
EVENTS = 120


async def imported(command: Command, folder: Path) -> None:
    """Archive events of the last hour, as `make demo` does."""
    events = generate(EVENTS, seed=5, base_time_s=int(time.time()), span_s=3600)
    (folder / "events.jsonl").write_bytes(b"\n".join(event.wire for event in events))
    done = await command("import", str(folder / "events.jsonl"), "--wait", "--relay", RELAY)
    assert done.returncode == 0, done.stderr


async def run(*arguments: str, variables: dict[str, str]) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *arguments, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode().rstrip("\n").split("\n")  # events hold other line ends


async def test_the_examples_show_what_is_archived(command: Command, settings: Settings, tmp_path: Path) -> None:
    await imported(command, tmp_path)
    connection = await asyncpg.connect(postgres.dsn(settings))
    relay_id = await connection.fetchval("SELECT id FROM relays WHERE url = $1", RELAY)
    everything = FilterCoverage(filter=Filter().filter_hash(), wire={}, read=[(0, 9, 1)])
    record = Coverage(relay=RELAY, sets=[everything], updated_at_ms=1)
    await coverage.write(connection, [Change(RELAY, record, 1)], {RELAY: relay_id})
    health = RelayHealth(url=RELAY, network=Network.CLEARNET, state="online", verdict="works", judged_at_ms=1)
    async with connection.transaction():
        await relay_health.write(connection, [relay_health.Entry(RELAY, health)], {})
    statements = (EXAMPLES / "queries.sql").read_text(encoding="utf-8").split("\n\n")[1:]
    assert len(statements) == 8
    for statement in statements:
        assert await connection.fetch(statement), statement
    await connection.close()

    topic, variables = f"{settings.kafka.topic_prefix}events", environment(settings)
    script = (sys.executable, str(EXAMPLES / "consume.py"), topic, "--from-beginning")
    records = [json.loads(line) for line in await run(*script, "--limit", str(EVENTS), variables=variables)]
    assert len({record["event"]["id"] for record in records}) == EVENTS
    assert {record["relay"] for record in records} == {RELAY}


@pytest.mark.skipif(not all(map(shutil.which, ("kcat", "jq"))), reason="kcat or jq is not installed")
async def test_the_example_for_kcat_shows_records(
    command: Command, settings: Settings, servers: Servers, tmp_path: Path
) -> None:
    await imported(command, tmp_path)
    assert servers.broker is not None
    paths = DataPaths.of(tmp_path / "clients")
    paths.run.mkdir(parents=True)
    files = write_client_files(paths, servers.broker)
    more = {"KCAT_CONFIG": str(files.kcat), "TOPIC": f"{settings.kafka.topic_prefix}events", "COUNT": "5"}
    shown = await run("bash", str(EXAMPLES / "kcat.sh"), variables=environment(settings) | more)
    assert [json.loads(line)[2] for line in shown] == [RELAY] * 5
