"""`bigbrotr relays publish`: which relays the connectors read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from bigbrotr.commands.topics.rediscover import rediscover
from bigbrotr.commands.topics.topics import created
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import KAFKA, quiet_log, say, servers
from core.kafka import PublishError
from core.settings import Settings
from core.settings.errors import key_and_variable
from producers.operator.publish import ALLOW_PRIVATE, PublishReport, RelayList, parse_relays, publish_relays
from producers.operator.relay_lists import RelayListError, parse_relay_text, read_relay_file


@click.group()
def relays() -> None:
    """Tell the connectors which relays to read."""


relays.add_command(rediscover)


def read_sources(sources: tuple[str, ...], *, allow_private: bool) -> RelayList:
    """Read files with relay URLs, and URLs themselves: what has a scheme is a URL.

    Raises:
        BadParameter: a file cannot be read.
        CommandFailedError: a file, or an argument that begins as JSON, is no list of relays.
    """
    found = RelayList()
    for source in sources:
        try:
            if "://" in source:
                parse_relay_text(source, "argument", allow_private=allow_private, into=found)
            else:
                read_relay_file(Path(source), allow_private=allow_private, into=found)
        except OSError as error:
            raise click.BadParameter(f"{source}: {error.strerror}", param_hint="FILE|URL") from None
        except RelayListError as error:
            raise CommandFailedError(str(error)) from None
    return found


@relays.command(
    short_help="Publish relays to the registry that connectors read.",
    epilog="""\b
Examples:
  bigbrotr relays publish wss://relay.example.com wss://nos.example.org
  bigbrotr relays publish seed_relays.txt --json
  bigbrotr relays publish --allow-private ws://localhost:7777
  bigbrotr --config bigbrotr.yaml relays publish
""",
)
@click.argument("sources", metavar="[FILE|URL...]", nargs=-1, type=click.Path())
@click.option(ALLOW_PRIVATE, is_flag=True, help="Let these relays have private addresses: relays of your own.")
@click.option("--priority", is_flag=True, help="Give these relays the priority lane: always connected.")
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option()
def publish(
    options: Options, sources: tuple[str, ...], *, allow_private: bool, priority: bool, as_document: bool
) -> None:
    """Publish relays to the registry that the connectors read: URLs, or files with URLs.

    A file is text with URLs (# begins a comment) or a JSON array of them.

    Without any, those of the setting `relays` are published. What was published before stays in the registry.

    Running connectors open them within seconds. What is no relay URL is named with its place and the reason, and the
    exit code is 1 if nothing was left to publish.
    """
    settings = options.settings()
    quiet_log(settings)
    if not sources and not settings.relays:
        raise click.UsageError(
            "no relay to publish: name relays or files with relays, or list them in the settings "
            f"({key_and_variable(['relays'])})"
        )
    found = (
        read_sources(sources, allow_private=allow_private)
        if sources
        else parse_relays(settings.relays, "relays", allow_private=allow_private)
    )
    for refused in found.refused:
        say(f"{refused.place}: {refused.text}: {refused.reason}")
    if not found.relays:
        raise CommandFailedError("no relay URL was found: nothing is published")
    with servers(settings, KAFKA) as filled:
        report = asyncio.run(_publish(filled, found, allow_private=allow_private, priority=priority))
    if as_document:
        refusals = [refused._asdict() for refused in found.refused]
        click.echo(json.dumps({**report._asdict(), "duplicates": found.duplicates, "refused": refusals}))
        return
    click.echo(f"relays: {report.written:,} published, {report.unchanged:,} were known, {len(found.refused):,} refused")


async def _publish(settings: Settings, found: RelayList, *, allow_private: bool, priority: bool) -> PublishReport:
    await created(settings)
    try:
        return await publish_relays(
            settings,
            found.relays.values(),
            allow_private=allow_private,
            lane="priority" if priority else "regular",
        )
    except (PublishError, TimeoutError) as error:
        raise CommandFailedError(f"Kafka did not take the relays: {error}") from error
