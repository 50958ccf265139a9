"""`bigbrotr run`: the whole pipeline on real relays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from bigbrotr.commands.archive.migrate import migrated
from bigbrotr.commands.topics.topics import created
from bigbrotr.console.display import display
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.snapshot_view import about
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import say, servers
from bigbrotr.services import DISCOVERY, FLOW, SERVING
from bigbrotr.status import archive
from bigbrotr.status.snapshot import Snapshot
from bigbrotr.supervise.bounded_log import log_to_file
from bigbrotr.supervise.read_relays import discovering, reading_only
from bigbrotr.supervise.running import only_one
from bigbrotr.supervise.shown_pipeline import ShownPipeline
from bigbrotr.supervise.stop_wish import stop_on_signals
from core.settings import Settings
from producers.filters import configured_filters
from producers.operator.listed_relays import ALLOW_PRIVATE, RelayList, parse_relays
from producers.operator.relay_commands import adding, importing, publish_commands, still_said
from producers.operator.relay_lists import RelayListError, parse_relay_text, read_relay_file
from schemas.records.relay_command import RelayCommand

_EPILOG = """\b
Examples:
  bigbrotr run --relay wss://relay.example.com --relay wss://nos.example.org
  RELAYS="wss://relay.example.com wss://nos.example.org" bigbrotr run
  bigbrotr --config bigbrotr.yaml run --discover
"""
_PRIVATE_FOUND = (
    "warning: with --allow-private and --discover, relays that strangers name in events are connected to also in your "
    "own network; link-local addresses never are"
)


def wanted_relays(
    settings: Settings, given: Iterable[str], files: Iterable[Path], variable: str, *, allow_private: bool = False
) -> RelayList:
    """The relays of one run: those named on the command line or in RELAYS, else those of the settings.

    Raises:
        CommandFailedError: a file, or the variable, is no list of relays.
    """
    found = RelayList()
    parse_relays(given, "--relay", allow_private=allow_private, into=found)
    try:
        for file in files:
            read_relay_file(file, allow_private=allow_private, into=found)
        parse_relay_text(variable, "RELAYS", allow_private=allow_private, into=found)
    except RelayListError as error:
        raise CommandFailedError(str(error)) from None
    if not found.relays and not found.refused:
        parse_relays(settings.relays, "relays", allow_private=allow_private, into=found)
    return found


@click.command(epilog=_EPILOG)
@click.option("--relay", "given", multiple=True, metavar="URL", help="A relay to read; may be given several times.")
@click.option(
    "--relays",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with relay URLs (# begins a comment), or a JSON array of them.",
)
@click.option(ALLOW_PRIVATE, is_flag=True, help="Let relays have private addresses: relays of your own.")
@click.option("--discover", is_flag=True, help="Find relays, from a list of seeds on, follow the registry, and probe.")
@click.option("--no-api", is_flag=True, help="Do not serve the archive.")
@pass_options
def run(
    options: Options,
    given: tuple[str, ...],
    files: tuple[Path, ...],
    *,
    allow_private: bool,
    discover: bool,
    no_api: bool,
) -> None:
    """Archive real relays: starts the servers if need be and every service as a process of its own.

    Relays come from --relay, --relays and the variable RELAYS, else from `relays` of the settings. These are read and
    no others, and the registry is left as it is. One that cannot be reached is shown as such and tried again.

    With --discover they are added to the registry, and what it has admitted is read and probed: seeds, what
    `bigbrotr relays` was told, and relays that the archived events name. With --allow-private these may be in your own
    network too.

    The archive is served at `api.host` and `api.port`, on a free port of this machine unless set: REST for programs,
    and a read-only relay for Nostr clients. With --no-api it is not.

    Ctrl-C, or q in the live view, drains and stops everything within 15 seconds, and says what was archived.
    """
    settings = options.settings()
    relays = wanted_relays(settings, given, files, os.environ.get("RELAYS", ""), allow_private=allow_private)
    for refused in relays.refused:
        say(f"{refused.place}: {refused.text}: {refused.reason}")
    if not relays.relays and not discover:
        raise click.UsageError(
            "no relay to read: name some by --relay, --relays FILE, the variable RELAYS, or `relays` in the settings; "
            "--discover finds some"
        )
    if discover and allow_private:
        say(_PRIVATE_FOUND)
    configured_filters(settings)  # checked here, and not in a connector that would end again and again
    settings = (
        discovering(settings, allow_private=allow_private)
        if discover
        else reading_only(settings, relays.relays.values(), allow_private=allow_private)
    )
    with only_one(settings.data_dir):
        log_to_file(settings)
        with servers(settings) as filled:
            commands = adding(relays.relays.values(), allow_private=allow_private) if discover else []
            names = [*FLOW, *(_discovering(filled) if discover else ()), *(() if no_api else SERVING)]
            problems = asyncio.run(_run(filled, options.config, commands, names))
    if problems:
        raise CommandFailedError("; ".join(problems))


def _discovering(settings: Settings) -> list[str]:
    """The services that find relays; without an API to ask, there is nothing to do for the finder."""
    return [name for name in DISCOVERY if name != "finder" or settings.finder.sources]


async def _run(
    settings: Settings, config: Path | None, commands: Sequence[RelayCommand], names: Sequence[str]
) -> list[str]:
    await created(settings)
    await migrated(settings)
    if commands:
        report = await publish_commands(settings, commands, importing)
        for kept in report.kept:
            say(f"{kept.target}: {still_said(kept)}")
        say(f"relays: {report.written:,} added, {report.unchanged:,} were known")
    before = await archive.counted(settings)

    async def never(_snapshot: Snapshot) -> bool:
        return False

    async with stop_on_signals() as wish:
        with display("BigBrotr", wish.ask) as shown:
            problems = await ShownPipeline(settings, config, shown, names=names).conduct(never, wish)
    rows = await archive.counted(settings)
    new = about(rows.events - before.events, exact=before.exact and rows.exact)
    say(f"archived {new} events in this run; the archive holds {about(rows.events, exact=rows.exact)}")
    return problems
