"""`bigbrotr digest`: one number for what is archived."""

from __future__ import annotations

import asyncio
import json

import click

from bigbrotr import archive
from bigbrotr.errors import CommandFailedError
from bigbrotr.options import Options, pass_options
from bigbrotr.servers import quiet_log, servers
from core import postgres
from core.settings import Settings
from schemas.digest import Digest
from sinks.digest import DigestError, archive_digest

_EPILOG = """\b
Examples:
  bigbrotr digest
  bigbrotr digest --json | jq -r .digest
"""


async def computed(settings: Settings) -> Digest:
    """Compute the digest of the archive.

    Raises:
        CommandFailedError: there is no archive, or its rows do not give back what was signed.
    """
    # Reading everything takes as long as it takes.
    pool = await postgres.pool(settings, min_size=1, max_size=1, command_timeout=None)
    try:
        async with pool.acquire() as connection:
            if not await archive.has_schema(connection):
                raise CommandFailedError("the database has no tables of the archive yet: run `bigbrotr migrate`")
        return await archive_digest(pool)
    except DigestError as error:
        raise CommandFailedError(str(error)) from error
    finally:
        pool.terminate()


def as_json(digest: Digest) -> dict[str, object]:
    """Give a digest as JSON-ready values: `digest` covers events and sightings with their counts."""
    return {
        "events": digest.events,
        "events_digest": digest.events_hex(),
        "sightings": digest.pairs,
        "sightings_digest": digest.pairs_hex(),
        "digest": digest.hexdigest(),
    }


@click.command(epilog=_EPILOG)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
def digest(options: Options, *, as_document: bool) -> None:
    """Compute a digest of the archive that no order of arrival changes: equal digests, equal archives.

    Every id is computed again from its row. The digest covers the events and which relay had which event, never
    signatures or times of sightings.
    """
    settings = options.settings()
    quiet_log(settings)
    with servers(settings) as filled:
        document = as_json(asyncio.run(computed(filled)))
    if as_document:
        click.echo(json.dumps(document))
        return
    click.echo(f"events     {document['events']:>12,}  {document['events_digest']}")
    click.echo(f"sightings  {document['sightings']:>12,}  {document['sightings_digest']}")
    click.echo(f"both       {'':>12}  {document['digest']}")
