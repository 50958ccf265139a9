"""The reference of all tables and columns is what `migrate` makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.archive.connection import Pool
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
