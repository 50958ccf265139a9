"""`bigbrotr probe`: probes relays now, without any server of the pipeline."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.probe_view import probe_lines
from bigbrotr.servers import quiet_log, say
from core.settings import Settings
from producers.operator.listed_relays import ALLOW_PRIVATE, RelayList, take_relay
from producers.prober.means import open_means
from producers.prober.probe import Outcome, probe
from producers.prober.target import Target, named_target

_SOME_DO_NOT = 3


@click.command(
    name="probe",
    short_help="Probe relays now: what works, and what does not.",
    epilog="""\b
Examples:
  bigbrotr probe wss://relay.example.com
  bigbrotr probe --allow-private ws://localhost:7777
  bigbrotr probe --json wss://relay.example.com wss://nos.example.org | jq -r '[.url,.verdict]|@tsv'
""",
)
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@click.option(ALLOW_PRIVATE, is_flag=True, help="Let these relays have private addresses: relays of your own.")
@click.option("--json", "as_documents", is_flag=True, help="Write one JSON object a line, as on raw.probes.")
@pass_options
def probe_(options: Options, urls: tuple[str, ...], *, allow_private: bool, as_documents: bool) -> None:
    """Probe relays with all checks, once, and print what came of each. No server is needed.

    A check that was not tried is not shown. An event is written to a relay only where the settings prober.write and
    monitor.key say so. Relays are shown as they are done: prober.at_once of them are probed at a time, one of each
    host.

    With --json a line is the record that the service prober writes, with the text of the relay information document
    beside.

    The exit code is 0 if all relays work, and 3 if some do not.
    """
    settings = options.settings()
    quiet_log(settings)
    targets = _targets(urls, allow_private=allow_private)
    working = asyncio.run(_show(settings, targets, as_documents=as_documents))
    if len(targets) > 1:
        say(f"{working:,} of {len(targets):,} relays work")
    if working < len(targets):
        raise click.exceptions.Exit(_SOME_DO_NOT)


def _targets(urls: Iterable[str], *, allow_private: bool) -> list[Target]:
    found = RelayList()
    for number, url in enumerate(urls, 1):
        take_relay(url, f"URL {number}", allow_private=allow_private, into=found)
    if found.refused:
        raise click.UsageError("\n".join(f"{text}: {reason}" for _, text, reason in found.refused))
    return [named_target(url, allow_private=allow_private) for url in found.relays.values()]


async def _show(settings: Settings, targets: list[Target], *, as_documents: bool) -> int:
    """Print the outcome of each; return how many work."""
    working = 0
    async for record, document in _probed(settings, targets):
        working += record.verdict == "works"
        if as_documents:
            text = None if document is None else document.text
            click.echo(json.dumps(record.model_dump(mode="json") | {"document": text}))
        else:
            for line in probe_lines(record):
                click.echo(line)
    return working


async def _probed(settings: Settings, targets: list[Target]) -> AsyncIterator[Outcome]:
    places = asyncio.Semaphore(settings.prober.at_once)
    hosts: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async with open_means(settings) as means:

        async def one(target: Target) -> Outcome:
            # In this order: what waits for its host takes no place that others could use.
            async with hosts[target.url.host], places:
                return await probe(target, means, full=True, attempts=1)

        for outcome in asyncio.as_completed([one(target) for target in targets]):
            yield await outcome
