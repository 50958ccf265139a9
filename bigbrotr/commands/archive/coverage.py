"""`bigbrotr coverage`: the ranges of time that were read of each relay, and the known gaps."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time

import click
from rich.console import Console

from bigbrotr.console.coverage_bar import Axis, axis, share
from bigbrotr.console.coverage_view import Style, legend, relay_lines
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import MOMENT, RELAY
from bigbrotr.console.timeout import READING, timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import POSTGRES, quiet_log, servers
from bigbrotr.status import archive
from core.archive.coverage import RelayState, read_coverage
from core.settings import Settings

# The month in which the first events were signed: before it there is nothing to miss.
NOSTR_BEGAN_S = 1_604_188_800
# Calendars of Python end later, but no axis needs more.
_LATEST_S = 4_102_444_800
_INDENT_CELLS = 2
_NARROWEST = 10

_EPILOG = """\b
Examples:
  bigbrotr coverage
  bigbrotr coverage wss://relay.example.com --since 2024-05-01 --until 2024-06-01
  bigbrotr coverage --json | jq '.relays[] | {relay, share: [.filters[].read_share]}'
"""


async def known(settings: Settings, relay: str | None) -> list[RelayState]:
    """Read what the archive knows.

    Raises:
        CommandFailedError: there is no archive of this version, or it does not know the relay.
    """
    async with archive.readable(settings) as pool, pool.acquire() as connection:
        states = await read_coverage(connection, relay)
        if relay is not None and not states:
            others = len(await read_coverage(connection))
            raise CommandFailedError(
                f"{relay}: the archive knows nothing of having read it. It knows of {others:,} relays, which "
                "`bigbrotr coverage` lists; `bigbrotr relays publish` has a relay read"
            )
    return states


def as_json(states: list[RelayState], since_s: int, until_s: int) -> dict[str, object]:
    """Give everything in the time from one second to another, which is not included, as JSON-ready values."""
    return {
        "since": since_s,
        "until": until_s,
        "relays": [
            {
                "relay": state.relay,
                "cursor_s": state.cursor_s,
                "updated_at_ms": state.updated_at_ms,
                "facts": [fact.model_dump() for fact in state.facts],
                # Forged ones are no matter of coverage: the table has none, and `relays show` tells them.
                "copies": {**state.copies.model_dump(exclude={"forged"}), "overhead": state.copies.overhead},
                "filters": [
                    {
                        "filter": each.filter,
                        "wire": each.wire,
                        "identity": each.identity,
                        "read_share": share(each.read, since_s, until_s),
                        "read": [[low, high] for low, high in each.read if high >= since_s and low < until_s],
                        "gaps": [
                            gap._asdict() for gap in each.gaps if gap.until_s >= since_s and gap.since_s < until_s
                        ],
                    }
                    for each in state.filters
                ],
            }
            for state in states
        ],
    }


def show(states: list[RelayState], drawn: Axis, *, gaps: int, facts: bool) -> None:
    """Write bars to stdout, as wide as the terminal; in ASCII where nothing else can be written."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    style = Style(unicode, gaps, facts)
    # Long lines stay whole, for `grep` and for terminals that are made wider later.
    console = Console(soft_wrap=True, highlight=False)
    now_s = time.time()
    for state in states:
        for line in relay_lines(state, drawn, style, now_s):
            console.print(line)
    console.print(legend(drawn, style))


@click.command(epilog=_EPILOG)
@click.argument("relay", type=RELAY, required=False)
@click.option("--since", type=MOMENT, default=NOSTR_BEGAN_S, show_default="2020-11-01", help="Show from this time on.")
@click.option("--until", type=MOMENT, show_default="now", help="Show up to this time, which is not included.")
@click.option("--gaps", type=click.IntRange(min=0), default=5, show_default=True, help="List so many for each filter.")
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object, with every range, gap and fact.")
@pass_options
@timeout_option(READING)
def coverage(
    options: Options, relay: str | None, *, since: int, until: int | None, gaps: int, as_document: bool
) -> None:
    """Show which times were read completely of each relay, or of one RELAY, and what is known to be missing.

    A bar stands for each filter: what was read, what the relay did not give although it was asked, and what was not
    asked for yet. For one RELAY, what was learnt of how it wants to be asked stands above them.

    Overhead is how many copies of events a relay has sent for each that it had not sent before: 1.00 if none came
    twice. What the connector does not remember (its last 200,000 copies of all relays, none of before its start) counts
    as new.

    The answer is the archive's: as old as the last record of coverage that the sink has taken.
    """
    until_s = int(time.time()) if until is None else until
    if not 0 <= since < until_s <= _LATEST_S:
        raise click.UsageError("--since must be before --until, and both between 1970 and 2100")
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, POSTGRES) as filled:
        states = asyncio.run(known(filled, relay))
    if as_document:
        click.echo(json.dumps(as_json(states, since, until_s)))
    elif not states:
        click.echo("no relay was read yet, as far as the sink has archived coverage: `bigbrotr run` reads some")
    else:
        columns = shutil.get_terminal_size().columns - _INDENT_CELLS
        show(states, axis(since, until_s, max(_NARROWEST, columns)), gaps=gaps, facts=relay is not None)
