"""`bigbrotr topics trim`: deletes bundles that were validated and are older than the keep time (DeleteRecords)."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial

import click
from aiokafka.errors import KafkaError

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import DURATION
from bigbrotr.errors import CommandFailedError
from bigbrotr.retention.janitor import Janitor
from bigbrotr.retention.trimming import TOPIC, Trim, report_lines, trim
from bigbrotr.servers import KAFKA, quiet_log, servers
from core import kafka
from core.kafka.topic_admin import TopicsError
from core.service import run_service
from core.settings import Settings
from core.waiting import brief, until_it_works

_EPILOG = """\b
Examples:
  bigbrotr topics trim --dry-run
  bigbrotr topics trim --every 1h
  BIGBROTR_KAFKA__BUNDLES_KEEP_DAYS=0 bigbrotr topics trim

`reprocess` reaches as far back as bundles are kept. Kafka frees the disk within minutes to a day: whole segments only.
"""


@click.command("trim", short_help="Delete validated bundles that are old enough.", epilog=_EPILOG)
@click.option("--every", "every_s", type=DURATION, help="Repeat this often until SIGTERM or Ctrl-C, as a service.")
@click.option("--dry-run", is_flag=True, help="Delete nothing; say what would go.")
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object a pass.")
@pass_options
def trim_(options: Options, *, every_s: int | None, dry_run: bool, as_document: bool) -> None:
    """Delete bundles that the processor is done with and that are older than kafka.bundles_keep_days. Safe to repeat.

    What was not read stays, however old. Nothing goes from a partition where the processor's group never committed. The
    group is processor.group_id of these settings: where several read `raw.bundles`, name the slowest.

    With --every, health is served as by every service, a Kafka that is away is waited for, and the exit codes are those
    of `service`: being stopped is how it ends, so SIGTERM leads to 0.
    """
    settings = options.settings()
    report = partial(_tell, settings.processor.group_id, dry_run=dry_run, as_document=as_document)
    if every_s is None:
        quiet_log(settings)
    with servers(settings, KAFKA) as filled:
        if every_s is None:
            report(asyncio.run(_once(filled, dry_run=dry_run)))
        elif code := run_service(Janitor(filled, every_s, report, dry_run=dry_run)):
            raise click.exceptions.Exit(code)


async def _once(settings: Settings, *, dry_run: bool) -> Trim:
    try:
        return await until_it_works(
            f"Kafka to trim {TOPIC}", partial(trim, settings, dry_run=dry_run), kafka.is_transient
        )
    except TopicsError as error:
        raise CommandFailedError(str(error)) from error
    except KafkaError as error:
        raise CommandFailedError(f"Kafka refuses to trim {TOPIC}: {brief(error)}; it is safe to repeat") from error


def _tell(group_id: str, done: Trim, *, dry_run: bool, as_document: bool) -> None:
    if as_document:
        click.echo(json.dumps(_document(done, dry_run=dry_run)))
    else:
        click.echo("\n".join(report_lines(done, group_id, dry_run=dry_run)))


def _document(done: Trim, *, dry_run: bool) -> dict[str, object]:
    return {
        "time_ms": time.time_ns() // 1_000_000,
        "topic": done.topic,
        "dry_run": dry_run,
        "partitions": [
            {"partition": number, "deleted": count, "begin_offset": done.before[number].first_kept}
            for number, count in done.deleted.items()
        ],
        "deleted": sum(done.deleted.values()),
        "remaining": done.remaining,
        "left_alone": done.left_alone,
    }
