"""`bigbrotr switch`: makes a rebuilt schema the live archive."""

from __future__ import annotations

import asyncio
import json

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import POSTGRES, quiet_log, say, servers
from bigbrotr.status import archive
from core.settings import Settings
from core.settings.types import schema_name
from sinks.switch import Switched, SwitchError, switch

_EPILOG = """\b
Examples:
  bigbrotr rebuild --into rebuilt && bigbrotr digest --compare rebuilt
  bigbrotr switch rebuilt

Services go on without a restart. The archive that was live keeps its rows under a name with the date, with which
`switch` brings it back; DROP SCHEMA … CASCADE removes it. A database of its own is switched to by postgres.dsn.
"""


async def switched(settings: Settings, schema: str, *, force: bool) -> Switched:
    """Switch over a connection of its own.

    Raises:
        CommandFailedError: the schema cannot become the live one.
    """
    try:
        async with archive.changing(settings) as connection:
            return await switch(connection, settings.postgres.schema, schema, settings.sink.group_id, force=force)
    except SwitchError as error:
        raise CommandFailedError(str(error)) from error


@click.command("switch", epilog=_EPILOG)
@click.argument("schema")
@click.option("--force", is_flag=True, help="Also to a schema that is behind, or that was not rebuilt as a whole.")
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option()
def switch_(options: Options, *, schema: str, force: bool, as_document: bool) -> None:
    """Make SCHEMA the live archive, in one transaction and under running services."""
    try:
        schema_name(schema)
    except ValueError as error:
        raise click.UsageError(f"{schema} {error}") from error
    settings = options.settings()
    quiet_log(settings)
    if schema == settings.postgres.schema:
        raise click.UsageError(f"{schema} is the live archive already (postgres.schema)")
    with servers(settings, POSTGRES) as filled:
        done = asyncio.run(switched(filled, schema, force=force))
    if as_document:
        click.echo(json.dumps(done._asdict()))
        return
    say(f"{schema} is the live archive now, under the name {settings.postgres.schema}")
    if done.behind:
        say(f"it is {done.behind:,} records behind, which the sink reads now")
    say(f"what was live is kept as {done.kept}: `bigbrotr switch {done.kept}` brings it back")
