"""The version of the tables, which all that use them look for."""

from __future__ import annotations

from core.archive.schema import VERSION
from sinks.migrate import migrations


def test_it_is_the_number_of_the_newest_migration_and_none_is_left_out() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, VERSION + 1))
