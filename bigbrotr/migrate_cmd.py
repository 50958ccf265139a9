"""`bigbrotr migrate`: brings the PostgreSQL schema up to date."""

from __future__ import annotations

import asyncio

import click

from bigbrotr import archive
from bigbrotr.errors import CommandFailedError
from bigbrotr.options import Options, pass_options
from bigbrotr.servers import quiet_log, say, servers
from core.settings import Settings
from sinks.migrate import Migrated, MigrationError
from sinks.migrate import migrate as apply

_EPILOG = """\b
Examples:
  bigbrotr migrate
  BIGBROTR_POSTGRES__DSN=postgresql://owner@db/bigbrotr bigbrotr migrate
"""


async def migrated(settings: Settings) -> Migrated:
    """Apply what is missing.

    Raises:
        CommandFailedError: the database cannot be brought to this version.
    """
    try:
        async with archive.connected(settings) as connection:
            return await apply(connection)
    except MigrationError as error:
        raise CommandFailedError(str(error)) from error


@click.command(epilog=_EPILOG)
@pass_options
def migrate(options: Options) -> None:
    """Bring the PostgreSQL schema up to date: numbered files, each applied once, and the monthly partitions ahead."""
    settings = options.settings()
    quiet_log(settings)
    with servers(settings) as filled:
        done = asyncio.run(migrated(filled))
    for name in done.applied:
        say(f"applied {name}")
    say(f"the database is up to date; {done.months} monthly partitions were made")
