"""The version of the tables, which what only reads them looks for."""

from __future__ import annotations

from core.archive.schema import VERSION
from sinks.migrate import migrations


def test_it_is_the_number_of_the_newest_migration() -> None:
    assert migrations()[-1].version == VERSION
