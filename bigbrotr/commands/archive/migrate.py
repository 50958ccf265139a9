"""`bigbrotr migrate`: brings the PostgreSQL schema up to date, and its roles."""

from __future__ import annotations

import asyncio

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import POSTGRES, quiet_log, say, servers
from bigbrotr.status import archive
from core.settings import Settings
from sinks.migrate import Migrated, MigrationError
from sinks.migrate import migrate as apply
from sinks.roles import OWNER, READER, WRITER

_EPILOG = """\b
Examples:
  bigbrotr migrate
  BIGBROTR_POSTGRES__DSN=postgresql://postgres@db/bigbrotr bigbrotr migrate

It makes the roles bigbrotr_owner, bigbrotr_writer and bigbrotr_reader, and gives them the passwords that the settings
postgres.owner_password, writer_password and reader_password hold.
"""


async def migrated(settings: Settings) -> Migrated:
    """Apply what is missing, and give roles the passwords of the settings.

    Raises:
        CommandFailedError: the database cannot be brought to this version.
    """
    given = settings.postgres
    passwords = {OWNER: given.owner_password, WRITER: given.writer_password, READER: given.reader_password}
    try:
        async with archive.changing(settings) as connection:
            return await apply(
                connection, passwords={role: password for role, password in passwords.items() if password is not None}
            )
    except MigrationError as error:
        raise CommandFailedError(str(error)) from error


@click.command(epilog=_EPILOG)
@pass_options
@timeout_option()
def migrate(options: Options) -> None:
    """Bring the PostgreSQL schema up to date: its roles, numbered files, each applied once, and the months ahead."""
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, POSTGRES) as filled:
        done = asyncio.run(migrated(filled))
    for name in done.applied:
        say(f"applied {name}")
    say(f"the database is up to date; {done.months} monthly partitions were made")
    if done.request:
        say(done.request)
