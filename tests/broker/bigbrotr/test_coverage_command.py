"""What was read, told by the command that people type."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from core import postgres
from core.settings import Settings
from schemas.coverage import Coverage, FilterCoverage, Gap, GapReason
from schemas.filters import Filter
from sinks import coverage
from sinks.migrate import migrate
from tests.broker.bigbrotr.conftest import Command

pytestmark = pytest.mark.broker

RELAY = "wss://a.example"
MAY = (1_714_521_600, 1_717_199_999)


async def store(settings: Settings) -> None:
    """Write coverage of one relay as the sink would."""
    read = [(MAY[0], MAY[1], MAY[1])]
    gap = Gap(since=MAY[1] + 1, until=MAY[1] + 1, reason=GapReason.DENSE_SECOND, tries=2, retry_at_s=MAY[1] + 99)
    covered = FilterCoverage(filter=Filter().filter_hash(), read=read, gaps=[gap])
    record = Coverage(relay=RELAY, cursor_s=MAY[1], sets=[covered], updated_at_ms=time.time_ns() // 1_000_000)
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
    shown, unknown, document = await asyncio.gather(
        command("coverage", RELAY, "--since", "2024-05-01", "--until", "2024-06-03"),
        command("coverage", "wss://unknown.example"),
        command("coverage", "--json", "--until", "2024-06-01"),
    )
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == RELAY
    assert " s ago; followed up to 2024-05-31 23:59:59" in lines[1]
    assert "  " + "\u2588" * 31 + "\u00d7\u00b7" in lines
    assert "  gap 2024-06-01 00:00:00: dense_second, asked 2 times, again 2024-06-01 00:01:38" in lines
    assert "\x1b" not in shown.stdout
    assert unknown.returncode == 1
    assert "knows nothing of having read it" in unknown.stderr
    (relay,) = document.json()["relays"]
    (covered,) = relay["filters"]
    assert (relay["relay"], relay["cursor_s"]) == (RELAY, MAY[1])
    assert covered["read"] == [list(MAY)]
    assert covered["wire"] == {}
    assert 0 < covered["read_share"] < 0.03
    assert covered["gaps"] == [], "it lies behind --until"
    assert not any("Traceback" in done.stderr for done in (early, empty, unknown))
