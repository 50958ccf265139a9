"""`bigbrotr reprocess`: validates the bundles of a period again, by the present rules and settings."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import asdict

import click
from aiokafka.errors import KafkaError

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import MOMENT
from bigbrotr.console.progress import CountProgress
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import KAFKA, quiet_log, servers
from core.waiting import brief
from processors.validate.reprocess import Report, reprocess

_EPILOG = """\b
Examples:
  BIGBROTR_PROCESSOR__ARCHIVE_EPHEMERAL=true bigbrotr reprocess --since 2026-11-20
  bigbrotr reprocess --since 2026-11-20T12:00:00Z --until 2026-11-20T13:00:00Z --json

Settings of the processor are those of this command. Running services go on meanwhile, and it may be repeated: what is
known already changes nothing. What is refused again goes to `rejections` once more.
"""


@click.command("reprocess", epilog=_EPILOG)
@click.option("--since", type=MOMENT, required=True, help="Bundles that reached Kafka at this time or later.")
@click.option("--until", type=MOMENT, help="Bundles that reached Kafka before this time.  [default: now]")
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option()
def reprocess_(options: Options, *, since: int, until: int | None, as_document: bool) -> None:
    """Send the bundles of a time (in `raw.bundles`) through validation again."""
    # A second more than now: what came within this one is meant too.
    until = int(time.time()) + 1 if until is None else until
    if not 0 <= since < until:
        raise click.UsageError(f"--since {since} must be 1970 or later and before --until {until}")
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, KAFKA) as filled, CountProgress("reprocessing", "bundles") as progress:
        try:
            report = asyncio.run(reprocess(filled, since * 1000, until * 1000, progress))
        except KafkaError as error:
            raise CommandFailedError(f"Kafka did not take the records: {brief(error)}; it is safe to repeat") from error
    if as_document:
        click.echo(json.dumps(asdict(report)))
    else:
        click.echo("\n".join(_lines(report)))


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.bundles:>12,} bundles with {report.copies:,} copies, {report.duplicates:,} of them met before"
    yield f"{report.accepted:>12,} events accepted, {report.sightings:,} sightings"
    for verdict, reasons in (
        ("refused", report.refused),
        ("quarantined", report.quarantined),
        ("erased", report.erased),
    ):
        for reason, count in reasons.most_common():
            yield f"{count:>12,} {verdict}: {reason}"
