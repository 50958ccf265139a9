"""`bigbrotr audit` as people type it: exit code, words, JSON."""

from __future__ import annotations

import asyncpg
import pytest

from core import postgres
from core.settings import Settings
from sinks.migrate import migrate
from tests.broker.bigbrotr.conftest import Command
from tests.broker.sinks.archived import fill, some_events

pytestmark = pytest.mark.broker

EVENTS = some_events(40, seed=4)


async def test_a_row_altered_by_hand_is_named_and_the_exit_code_is_one(settings: Settings, command: Command) -> None:
    connection = await asyncpg.connect(postgres.dsn(settings))
    await migrate(connection)
    await fill(connection, EVENTS)
    right = await command("audit", "--sample", "100%", "--seed", "3", "--json")
    assert right.returncode == 0, right.stderr
    assert (right.json()["events"], right.json()["altered"]) == (40, 0)
    assert right.json()["sample"] == {"share": 1.0, "seed": 3}

    victim = await connection.fetchval(
        "UPDATE events SET kind = kind + 1 WHERE id = (SELECT min(id) FROM events WHERE raw IS NULL) RETURNING id"
    )
    month = await connection.fetchval("UPDATE month_counts SET amount = 99 RETURNING to_char(month, 'YYYY-MM')")
    await connection.close()
    found = await command("audit", "--jobs", "2")
    assert found.returncode == 1
    assert victim.hex() in found.stdout
    assert "the id fits kind" in found.stdout
    assert f"miscounted events of {month}: month_counts says 99" in found.stdout
