"""`bigbrotr relays list|show`: what is known of relays."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import click

from bigbrotr.console.health_view import Documents, health_document, health_lines
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import RELAY
from bigbrotr.console.registry_options import choosing, wanted
from bigbrotr.console.registry_view import document, line, whole
from bigbrotr.console.timeout import READING, timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import KAFKA, quiet_log, say, servers
from bigbrotr.status.registry import TOPICS, Registry, read_registry
from bigbrotr.status.registry_wait import is_beneath
from bigbrotr.status.relay_health import read_documents, read_health, read_states
from core.kafka.topics import describe_topics
from core.settings import Settings
from schemas.partition import relay_partition
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_health import RelayHealth
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import normalize


@click.command(
    name="list",
    short_help="List relays of the registry, by filter.",
    epilog="""\b
Examples:
  bigbrotr relays list
  bigbrotr relays list --state silent --network tor
  bigbrotr relays list --health offline
  bigbrotr relays list --candidates --domain example.com --json | jq -r .url
""",
)
@click.argument("text", required=False)
@choosing
@click.option("--candidates", is_flag=True, help="Those that were named and are not admitted, instead.")
@click.option("--limit", type=click.IntRange(1), help="List so many at most.")
@click.option("--json", "as_documents", is_flag=True, help="Write one JSON object a line.")
@pass_options
@timeout_option(READING)
def list_(options: Options, *, candidates: bool, limit: int | None, as_documents: bool, **choice: Any) -> None:
    """List relays of the registry, admitted and denied ones, by URL; with TEXT, those whose URL holds it.

    A line has state, lane, network, URL, who named the relay, and what keeps it from being read.
    """
    chosen = wanted(**choice)
    settings = options.settings()
    quiet_log(settings)
    topic = "relays.candidates" if candidates else "relays"
    with servers(settings, KAFKA) as filled:
        registry = asyncio.run(_all(filled, topic))
        states = asyncio.run(read_states(filled)) if chosen.health else {}
    records = registry.candidates if candidates else registry.relays
    found = [record for _, record in sorted(records.items()) if chosen.takes(record, states.get(record.url))]
    for record in found[:limit]:
        click.echo(json.dumps(document(topic, record)) if as_documents else line(record))
    shown = f", {limit:,} shown" if limit is not None and limit < len(found) else ""
    say(f"{len(found):,} of {len(records):,} {'candidates' if candidates else 'relays'}{shown}")


@click.command(
    short_help="Show all that is known of a relay.",
    epilog="""\b
Examples:
  bigbrotr relays show wss://relay.example.com
  bigbrotr relays show wss://relay.example.com --json | jq .record.history
""",
)
@click.argument("relay", type=RELAY)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option(READING)
def show(options: Options, relay: str, *, as_document: bool) -> None:
    """Show all that is known of a relay: whether it is read and why not, who named it where, and what is wanted of it.

    Of relays that were probed also their health: state, uptime, times, limits, outages, changes of the information
    document, and what other monitors say.

    The exit code is 1 where nothing is known.
    """
    settings = options.settings()
    quiet_log(settings)
    host = normalize(relay, allow_private=True).host
    with servers(settings, KAFKA) as filled:
        registry, health, documents = asyncio.run(_known(filled, host, relay))
    topic, record = "relays", registry.relays.get(relay)
    if record is None:
        topic, record = "relays.candidates", registry.candidates.get(relay)
    commands = {key: command for key, command in registry.commands.items() if _is_about(command, relay)}
    if record is None and not commands and health is None:
        raise CommandFailedError(f"{relay}: is not known; `bigbrotr relays add` has it read")
    if as_document:
        shown = None if record is None else document(topic, record)
        wishes = [command.model_dump(mode="json") for _, command in sorted(commands.items())]
        found = None if health is None else health_document(health, documents, time.time())
        click.echo(json.dumps({"relay": relay, "record": shown, "commands": wishes, "health": found}))
        return
    for each in whole(relay, topic, record, commands):
        click.echo(each)
    for each in () if health is None else health_lines(health, documents, time.time()):
        click.echo(each)


def _is_about(command: RelayCommand, relay: str) -> bool:
    return command.target == relay if "://" in command.target else is_beneath(relay, command.target)


async def _all(settings: Settings, topic: str) -> Registry:
    (state,) = await describe_topics(settings, topic)
    return await read_registry(settings, {topic: range(state.partitions)})


async def _known(settings: Settings, host: str, relay: str) -> tuple[Registry, RelayHealth | None, Documents]:
    registry, health = await asyncio.gather(_of_host(settings, host), read_health(settings, host, relay))
    if health is None:
        return registry, None, {}
    named = [health.document, *(hash_ for each in health.changes for hash_ in (each.before, each.after))]
    return registry, health, await read_documents(settings, {hash_ for hash_ in named if hash_ is not None})


async def _of_host(settings: Settings, host: str) -> Registry:
    """Read the partitions in which records of a host's relays, and commands about it, stand."""
    partitions = {}
    for state in await describe_topics(settings, *TOPICS):
        if state.partitions:
            place = relay_partition if state.name == "relays" else domain_partition
            partitions[state.name] = [place(host, state.partitions)]
    return await read_registry(settings, partitions)
