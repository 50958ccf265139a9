"""The reference of all tables and columns is what `migrate` makes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core import postgres
from core.archive.connection import Pool
from core.settings import Settings
from deploy.embedded.servers.postgres_binaries import installed_binaries
from sinks.columns_table import columns_table

pytestmark = pytest.mark.broker

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/tables.md"


async def test_the_page_shows_every_column_with_what_it_is(pool: Pool) -> None:
    """To mend it, put the output of `python -m sinks.columns_table` between the marks.

    A column that is new needs a comment in its migration, or a line in that module.
    """
    async with pool.acquire() as connection:
        table = await columns_table(connection)
    assert [line for line in table.splitlines() if line.endswith("|  |")] == []
    page = PAGE.read_text(encoding="utf-8")
    assert page.split("<!-- columns: begin -->\n")[1].split("<!-- columns: end -->")[0] == table


async def test_the_pattern_of_the_page_lists_the_tables_without_the_months(settings: Settings, pool: Pool) -> None:
    page = PAGE.read_text(encoding="utf-8")
    pattern, query = page.split("```\n\\dtv")[1].split("\n")[0], page.split("```sql\n")[1].split(";")[0]
    argv = (str(installed_binaries() / "psql"), "-At", "-c", f"\\dtv{pattern}", postgres.dsn(settings))
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    said = (await process.communicate())[0].decode()
    listed = {line.split("|")[1] for line in said.splitlines()}
    async with pool.acquire() as connection:
        by_name = {row["relname"] for row in await connection.fetch(query)}
    assert {"events", "coverage", "visible_events"} <= by_name
    assert listed - by_name == {"events_past", "events_future", "sightings_past", "sightings_future"}
    assert by_name <= listed
