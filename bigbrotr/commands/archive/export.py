"""`bigbrotr export`: events of the archive as JSONL, by filter, in order."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, nullcontext
from pathlib import Path

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.output import Write, opened_output, output_options
from bigbrotr.console.parameters import RELAY
from bigbrotr.console.progress import StepProgress
from bigbrotr.console.timeout import READING, timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import POSTGRES, quiet_log, say, servers
from bigbrotr.status import archive
from core.archive.rows import DamagedRowError
from core.archive.selection import Selection, UnknownRelayError, hidden_by_policy
from core.settings import Settings
from schemas.nostr.filter_wire import parse_filter
from schemas.nostr.filters import Filter
from sinks.export import export, lines

_EPILOG = """\b
Examples:
  bigbrotr export -o everything.jsonl.zst
  bigbrotr export --filter '{"kinds":[0,3]}' --filter '{"kinds":[1],"since":1790000000}' | jq -r .content
  bigbrotr export --sightings -o with-relays.jsonl.gz
"""
_TOLD_EVERY = 1000  # events; telling costs a hundredth of writing them


def _filters(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Filter, ...]:
    filters = []
    for value in values:
        try:
            filters.append(parse_filter(value))
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return tuple(filters)


@click.command("export", epilog=_EPILOG)
@click.option(
    "--filter",
    "filters",
    metavar="JSON",
    multiple=True,
    callback=_filters,
    help="NIP-01 filter: only events that match it, or with several, any of them. limit takes the newest.",
)
@output_options
@click.option("--relay", type=RELAY, help="Only events that this relay was seen to have.")
@click.option(
    "--sightings",
    is_flag=True,
    help="A line for each relay that had an event: its URL, the time, the event. import reads these lines too.",
)
@click.option(
    "--include-hidden",
    is_flag=True,
    help="Also events that are deleted, expired or vanished, if the policy hides such.",
)
@pass_options
@timeout_option(READING)
def export_(
    options: Options,
    filters: tuple[Filter, ...],
    output: Path | None,
    relay: str | None,
    *,
    sightings: bool,
    include_hidden: bool,
) -> None:
    """Write events of the archive as JSONL, a signed event a line, ordered by time and id.

    Everything is of one moment, however long it takes. Protected events (NIP-70) are among them: only their authors may
    publish them, so keep such a file to yourself. What was exported and imported again gives an archive with the same
    digest of events; with --sightings, also with that of sightings.
    """
    settings = options.settings()
    quiet_log(settings)
    selection = Selection(
        filters, relay, frozenset() if include_hidden else hidden_by_policy(settings), sightings=sightings
    )
    with servers(settings, POSTGRES) as filled, _interrupted_at_once():
        try:
            with opened_output(output) as write:
                # A bar would be drawn between the lines that a person looks at.
                count = asyncio.run(_export(filled, selection, write, show=output is not None))
        except UnknownRelayError as error:
            raise click.BadParameter(str(error), param_hint="--relay") from None
        except DamagedRowError as error:
            raise CommandFailedError(f"{error}; `bigbrotr audit` finds all such rows") from None
    if output is not None:
        say(f"{count:,} events are in {output}")


async def _export(settings: Settings, selection: Selection, write: Write, *, show: bool) -> int:
    count = 0
    done, total = 0, 0
    began_s = time.monotonic()

    def reached(month_done: int, month_total: int) -> None:
        nonlocal done, total
        done, total = month_done, month_total

    async with archive.readable(settings) as pool, pool.acquire() as connection:
        events = export(connection, selection, reached)
        with StepProgress() if show else nullcontext() as progress:
            async with aclosing(events):
                async for exported in events:
                    write(lines(exported, sightings=selection.sightings))
                    count += 1
                    if progress is not None and count % _TOLD_EVERY == 0:
                        rate = count / (time.monotonic() - began_s)
                        progress.show("exporting", done, total or None, f"{count:,} events, {rate:,.0f}/s")
    return count


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end a write to a pipe that is not read: asyncio's own handler would wait for its end."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
