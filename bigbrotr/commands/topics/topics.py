"""`bigbrotr topics create|list|trim`: creates the topics (nothing is auto-created), lists and trims them."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from bigbrotr.commands.topics.trim import trim_
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.timeout import READING, timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import KAFKA, quiet_log, servers
from core.kafka.topic_admin import TopicsError
from core.kafka.topics import TopicChange, TopicState, create_topics, describe_topics
from core.settings import Settings
from schemas.topics import topic

_UNSEEN_WIDTH = 200  # longer than every line of the table


@click.group()
def topics() -> None:
    """Create, list and trim the Kafka topics of the pipeline."""


topics.add_command(trim_)


async def created(settings: Settings) -> list[TopicChange]:
    """Create what is missing and adjust what differs.

    Raises:
        CommandFailedError: Kafka or a fixed partition count stands against it.
    """
    try:
        return await create_topics(settings)
    except TopicsError as error:
        raise CommandFailedError(str(error)) from error


@topics.command(
    short_help="Create missing topics and adjust settings that differ.",
    epilog="""\b
Examples:
  bigbrotr topics create
  BIGBROTR_KAFKA__PARTITIONS=64 BIGBROTR_KAFKA__REPLICATION_FACTOR=3 bigbrotr topics create
""",
)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON array.")
@pass_options
@timeout_option()
def create(options: Options, *, as_document: bool) -> None:
    """Create the topics that are missing and adjust settings that differ. Safe to repeat.

    A partition count is never changed: a key's newer record would go to another partition, and the older one stay.
    """
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, KAFKA) as filled:
        changes = asyncio.run(created(filled))
    if as_document:
        click.echo(json.dumps([asdict(change) for change in changes]))
        return
    for change in changes:
        settled = "".join(f" {key}={value}" for key, value in change.changed.items())
        click.echo(f"{change.action:<10} {filled.kafka.topic_prefix}{change.name}{settled}")


@topics.command(
    name="list",
    short_help="List the topics with their partitions and records.",
    epilog="""\b
Examples:
  bigbrotr topics list
  bigbrotr topics list --json | jq '.[] | {name, records}'
""",
)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON array.")
@pass_options
@timeout_option(READING)
def list_(options: Options, *, as_document: bool) -> None:
    """List the topics: what they are for, their partitions, how many records they hold."""
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, KAFKA) as filled:
        states = asyncio.run(describe_topics(filled))
    if as_document:
        click.echo(json.dumps([_document(state) for state in states]))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading, justify in (("topic", "left"), ("partitions", "right"), ("records", "right"), ("kept", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("what a record is")
    for state in states:
        row = topic(state.name)
        table.add_row(
            state.full_name,
            str(state.partitions) if state.partitions else "missing",
            f"{held(state):,}",
            row.cleanup,
            row.description,
        )
    # Where the output is no terminal, a topic has one line, so that `grep` finds it whole.
    Console(width=None if sys.stdout.isatty() else _UNSEEN_WIDTH).print(table)


def held(state: TopicState) -> int:
    """Count the offsets that a topic spans now; compaction may have removed some of the records between them."""
    return sum(end - state.begin_offsets.get(number, 0) for number, end in state.end_offsets.items())


def _document(state: TopicState) -> dict[str, object]:
    row = topic(state.name)
    return {
        **asdict(state),
        "records": held(state),
        "description": row.description,
        "key": row.key,
        "value": str(row.codec),
        "partitioned_by": row.partitioned_by,
        "producers": list(row.writers),
        "consumers": [reader.program for reader in row.readers],
    }
