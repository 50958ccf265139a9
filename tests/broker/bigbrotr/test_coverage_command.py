"""What was read, told by the command that people type."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from core import postgres
from core.settings import Settings
from schemas.nostr.filters import Filter
from schemas.records.coverage import Copies, Coverage, Fact, FilterCoverage, Gap, GapReason
from sinks.migrate import migrate
from sinks.tables.topic_tables import coverage
from tests.broker.bigbrotr.conftest import Command

pytestmark = pytest.mark.broker

RELAY = "wss://a.example"
MAY = (1_714_521_600, 1_717_199_999)
FACT = Fact(name="interval_s", value=6.3, evidence="rate-limited: at most 10\x1b a minute", at_s=MAY[0])


async def store(settings: Settings) -> None:
    """Write coverage of one relay as the sink would."""
    read = [(MAY[0], MAY[1], MAY[1])]
    gap = Gap(since=MAY[1] + 1, until=MAY[1] + 1, reason=GapReason.DENSE_SECOND, tries=2, retry_at_s=MAY[1] + 99)
    covered = FilterCoverage(filter=Filter().filter_hash(), read=read, gaps=[gap])
    by_kinds = FilterCoverage(filter="f250", wire={"kinds": list(range(250))}, read=read)
    record = Coverage(
        relay=RELAY,
        cursor_s=MAY[1],
        sets=[covered, by_kinds],
        facts=[FACT],
        copies=Copies(received=130, repeated=30, forged=2),
        updated_at_ms=time.time_ns() // 1_000_000,
    )
    connection = await asyncpg.connect(**postgres.connection_options(settings))
    relay_id = await connection.fetchval("INSERT INTO relays (url) VALUES ($1) RETURNING id", RELAY)
    await coverage.write(connection, [coverage.Change(RELAY, record, record.updated_at_ms)], {RELAY: relay_id})
    await connection.close()


async def test_coverage_is_told_in_bars_in_json_and_in_sentences(command: Command, settings: Settings) -> None:
    early = await command("coverage")
    assert early.returncode == 1
    assert "bigbrotr migrate" in early.stderr
    connection = await asyncpg.connect(**postgres.connection_options(settings))
    await migrate(connection)
    await connection.close()
    empty = await command("coverage")
    assert (empty.returncode, empty.stdout.startswith("no relay was read yet")) == (0, True)

    await store(settings)
    shown, all_relays, unknown, document = await asyncio.gather(
        command("coverage", RELAY, "--since", "2024-05-01", "--until", "2024-06-03"),
        command("coverage", "--since", "2024-05-01", "--until", "2024-06-03"),
        command("coverage", "wss://unknown.example"),
        command("coverage", "--json", "--until", "2024-06-01"),
    )
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == RELAY
    assert " s ago; followed up to 2024-05-31 23:59:59" in lines[1]
    said = r'  wants 6.3 s between two messages: "rate-limited: at most 10\u001b a minute", 2024-05-01'
    assert lines[2] == "  130 copies received, 30 of them repeated: overhead 1.30"
    assert lines[3] == said
    assert all_relays.stdout.splitlines()[2:] == [lines[2], *lines[4:]], "facts are told of a relay that is named"
    assert "  kinds 0, 1, 2 ... 249 (250) (f250): 93.9 % read" in lines
    assert "  " + "\u2588" * 31 + "\u00d7\u00b7" in lines
    assert "  gap 2024-06-01 00:00:00: dense_second, asked 2 times, again 2024-06-01 00:01:38" in lines
    assert "\x1b" not in shown.stdout
    assert unknown.returncode == 1
    assert "knows nothing of having read it" in unknown.stderr
    (relay,) = document.json()["relays"]
    covered, by_kinds = relay["filters"]
    assert len(by_kinds["wire"]["kinds"]) == 250
    assert relay["facts"] == [FACT.model_dump()]
    assert relay["copies"] == {"received": 130, "repeated": 30, "overhead": 1.3}
    assert (relay["relay"], relay["cursor_s"]) == (RELAY, MAY[1])
    assert covered["read"] == [list(MAY)]
    assert covered["wire"] == {}
    assert 0 < covered["read_share"] < 0.03
    assert covered["gaps"] == [], "it lies behind --until"
    assert not any("Traceback" in done.stderr for done in (early, empty, unknown))
