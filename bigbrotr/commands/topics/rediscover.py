"""`bigbrotr relays rediscover`: finds again the relays that archived events name."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import click
from aiokafka.errors import KafkaError

from bigbrotr.commands.topics.topics import created
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.progress import CountProgress
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import KAFKA, quiet_log, servers
from core.kafka import PublishError
from core.settings import Settings
from core.waiting import brief
from processors.validate.discovery.rediscover import Report, Watcher
from processors.validate.discovery.rediscover import rediscover as rediscover_relays


@click.command(
    short_help="Find again the relays that archived events name.",
    epilog="""\b
Examples:
  bigbrotr relays rediscover
  BIGBROTR_DISCOVERY__ALLOW_PRIVATE=true bigbrotr relays rediscover --json
""",
)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option()
def rediscover(options: Options, *, as_document: bool) -> None:
    """Find the relays that the events of the topic `events` name, and tell the registry of them.

    A running processor does so for each new event. This is for events from before it did, for a registry that begins
    anew, and after `discovery.allow_private` has changed. Running services go on meanwhile, and it may be repeated:
    what the registry knows already changes nothing.
    """
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, KAFKA) as filled, CountProgress("reading", "events") as progress:
        report = asyncio.run(_rediscover(filled, progress))
    if as_document:
        click.echo(json.dumps(asdict(report)))
        return
    click.echo(f"{report.published:,} records of relays published to relays.found, from {report.events:,} events")
    if report.erased or report.unreadable:
        click.echo(f"left out: {report.erased:,} erased events, {report.unreadable:,} records that hold none")


async def _rediscover(settings: Settings, watcher: Watcher) -> Report:
    await created(settings)
    try:
        return await rediscover_relays(settings, watcher)
    except (KafkaError, PublishError) as error:
        raise CommandFailedError(f"Kafka did not take the records: {brief(error)}; it is safe to repeat") from error
