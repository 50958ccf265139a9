"""`bigbrotr digest`: one number for what is archived, for each table and month, and the comparison of two archives."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator

import click

from bigbrotr.commands.rebuild.target_archive import TARGET, at, named, named_by
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.timeout import READING, timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import POSTGRES, quiet_log, say, servers
from core.archive.connection import reading
from core.archive.counts import database_bytes, has_schema
from core.settings import Settings
from schemas.digest import ArchiveDigest
from sinks.integrity.digest import ArchiveReplacedError, DigestError, Digests, digests
from sinks.tables import TABLES

_EPILOG = """\b
Examples:
  bigbrotr digest
  bigbrotr digest --by-month --json
  bigbrotr digest --compare rebuilt
  bigbrotr digest --at postgresql://owner@elsewhere/bigbrotr

The password of another database comes from ~/.pgpass, PGPASSFILE or PGPASSWORD: others could see it in an address (ps).

Exit code 1: --compare found a difference, or rows do not give back what was signed.
"""

# A process starts in half a second; below this a single one is as fast.
_SEVERAL_FROM_BYTES = 256 * 1024 * 1024


async def computed(settings: Settings, jobs: int | None = None) -> Digests:
    """Compute the digests of an archive.

    Raises:
        CommandFailedError: there is no archive, or its rows do not give back what was signed.
    """
    async with reading(settings) as connection:
        if not await has_schema(connection):
            raise CommandFailedError(
                f"schema {settings.postgres.schema} has no tables of the archive yet: run `bigbrotr migrate`"
            )
        is_large = await database_bytes(connection) > _SEVERAL_FROM_BYTES
    try:
        return await digests(settings, jobs or (os.cpu_count() or 1 if is_large else 1))
    except (DigestError, ArchiveReplacedError) as error:
        raise CommandFailedError(str(error)) from error


def as_json(found: Digests, *, by_month: bool = False) -> dict[str, object]:
    """Give digests as JSON-ready values.

    `digest` covers events and sightings with their counts, `archive_digest` every table of the archive.
    """
    digest = found.archive.digest()
    document: dict[str, object] = {
        "events": digest.events,
        "events_digest": digest.events_hex(),
        "sightings": digest.pairs,
        "sightings_digest": digest.pairs_hex(),
        "digest": digest.hexdigest(),
        "archive_digest": found.archive.hexdigest(),
        "tables": {table.name: _entry(found.archive, table.name) for table in TABLES.archive},
        "state": {table.name: _entry(found.state, table.name) for table in TABLES.state},
    }
    if by_month:
        document["months"] = {
            name: {month: {"rows": each.count, "digest": each.hexdigest()} for month, each in sorted(months.items())}
            for name, months in found.archive.tallies.items()
        }
    return document


@click.command(epilog=_EPILOG)
@click.option("--by-month", is_flag=True, help="A line for each month of each table.")
@click.option("--at", "target", type=TARGET, help="Of another schema or database than the configured one.")
@click.option("--compare", "other", type=TARGET, help="Compare with the archive in this schema or database.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Processes that read.  [default: cores, 1 for a small archive]"
)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option(READING)
def digest(
    options: Options, *, by_month: bool, target: str | None, other: str | None, jobs: int | None, as_document: bool
) -> None:
    """Compute a digest of the archive that no order of arrival changes: equal digests, equal archives.

    Every id is computed again from its row. The digest covers the events, which relay had which event, and all that is
    derived from events and erasures, never signatures or times of sightings. Coverage, the
    registry of relays, probes and health are told apart: they are state.
    """
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, POSTGRES) as live:
        here = at(live, target) if target else live
        with named_by("--at", target):
            found = asyncio.run(computed(here, jobs))
        with named_by("--compare", other):
            compared = asyncio.run(computed(at(live, other), jobs)) if other else None
    if compared is None:
        click.echo(json.dumps(as_json(found, by_month=by_month)) if as_document else "\n".join(_lines(found, by_month)))
        return
    differences = found.archive.differences(compared.archive)
    if as_document:
        document = {
            "equal": not differences,
            "differences": [{"table": table, "month": month} for table, month in differences],
            "archives": [as_json(each, by_month=by_month) for each in (found, compared)],
        }
        click.echo(json.dumps(document))
    else:
        click.echo("\n".join(_comparison(found, compared, differences)))
        if differences:
            say(f"{named(live, target)} and {named(live, other)} differ")
    if differences:
        click.get_current_context().exit(1)


def _entry(digest: ArchiveDigest, name: str) -> dict[str, object]:
    tally = digest.table(name)
    return {"rows": tally.count, "digest": tally.hexdigest()}


def _lines(found: Digests, by_month: bool) -> Iterator[str]:  # noqa: FBT001 - called here alone
    for table in TABLES.archive:
        tally = found.archive.table(table.name)
        yield f"{table.name:<24}{'':8}{tally.count:>14,}  {tally.hexdigest()}"
        if by_month:
            for month, each in sorted(found.archive.tallies.get(table.name, {}).items()):
                yield f"{'':21}{month:8}{each.count:>14,}  {each.hexdigest()}"
    yield f"{'events and sightings':<24}{'':22}  {found.archive.digest().hexdigest()}"
    yield f"{'all of the archive':<24}{'':22}  {found.archive.hexdigest()}"
    for table in TABLES.state:
        tally = found.state.table(table.name)
        yield f"{table.name:<24}{'state':8}{tally.count:>14,}  {tally.hexdigest()}"


def _comparison(found: Digests, compared: Digests, differences: list[tuple[str, str]]) -> Iterator[str]:
    for table in TABLES.archive:
        here, there = (each.archive.table(table.name) for each in (found, compared))
        yield f"{table.name:<24}{here.count:>14,}{there.count:>14,}  {'equal' if here == there else 'DIFFERENT'}"
        for name, month in differences:
            if name == table.name and month:
                counts = [each.archive.tallies.get(name, {}).get(month) for each in (found, compared)]
                left, right = (0 if each is None else each.count for each in counts)
                yield f"  {month:<19}{left:>14,}{right:>14,}  DIFFERENT"
    for table in TABLES.state:
        here, there = (each.state.table(table.name) for each in (found, compared))
        yield f"{table.name:<24}{here.count:>14,}{there.count:>14,}  {'equal' if here == there else 'other'} (state)"
