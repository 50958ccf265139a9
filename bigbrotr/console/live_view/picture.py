"""Draws a snapshot for a terminal of a given size, every part on lines that do not wrap. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bigbrotr.console.live_view.keys import HELP
from bigbrotr.console.live_view.overview import brief, full
from bigbrotr.console.live_view.relay_rows import in_order, relay_table
from bigbrotr.console.live_view.styles import line
from bigbrotr.console.snapshot_view import disk_trouble, duration, relay_summary
from bigbrotr.status.snapshot import Rates, Snapshot

MAX_RELAY_ROWS = 12  # where there is no end of lines: a picture that stays in the scrollback is no list
_FRAME = 2  # the first and the last line, and a cell at each side
_HEADERS = 2  # lines above the relays: their number, and the names of the columns
_ENOUGH_ROWS = 8  # of relays beside the full overview; where they are more and do not fit, it is the brief one
_EVENTS = 4
_ENDING = {"stopping", "stopped"}


class View(NamedTuple):
    """What is shown of how large a terminal.

    Attributes:
        width: in cells.
        height: in lines; None: as many as it takes.
        first: place of the first relay.
        with_keys: the keys in the place of the relays.
        is_stopping: an end was asked for, of which the services may not know yet.
    """

    width: int
    height: int | None = None
    first: int = 0
    with_keys: bool = False
    is_stopping: bool = False


class Picture(NamedTuple):
    """What is drawn, with the place of the first relay that is shown, and how many rows there are for relays."""

    panel: Panel
    first: int
    rows: int


def picture(now: Snapshot, rate: Rates, uptime_s: float, view: View, *, title: str) -> Picture:
    """Draw a snapshot."""
    relays = in_order(now.relays)
    above, rows = _above(now, rate, view)
    first = max(0, min(view.first, len(relays) - rows))
    shown = relays[first : first + rows]
    width = view.width - _FRAME
    below: list[Table | Text] = []
    if view.with_keys:
        below = [Text(), _keys()]
    elif relays:
        place = "" if len(shown) == len(relays) else f" {first + 1:,}-{first + len(shown):,} of {len(relays):,}"
        below = [line(f"relays{place}: {relay_summary(relays)}"), relay_table(relays, shown, rate, width)]
    elif not _is_ending(now):
        below = [line("relays: none")]
    panel = Panel(
        Group(*above, *below),
        box=box.HORIZONTALS,
        padding=0,
        title=f"[bold]{escape(title)}[/], up {duration(uptime_s)}",
        subtitle=f"[dim]{_footer(now, view)}[/]",
        height=view.height,
    )
    return Picture(panel, first, rows)


def _above(now: Snapshot, rate: Rates, view: View) -> tuple[list[Table | Text], int]:
    """What stands above the relays: all of it, or its essence where the relays would have too little room."""
    trouble = [line(disk_trouble(now.disk), "red")] if disk_trouble(now.disk) else []
    events = [line(text, "yellow") for text in now.events[-_EVENTS:]]
    parts = [*full(now, rate), *trouble, *events, *([Text()] if trouble or events else [])]
    if view.height is None:
        return parts, MAX_RELAY_ROWS
    room = view.height - _FRAME - _HEADERS
    wanted = len(HELP) if view.with_keys else min(len(now.relays), _ENOUGH_ROWS)
    if _lines(parts) + wanted > room:
        parts = [*brief(now, rate), *trouble, *events[-1:]]
    return parts, max(1, room - _lines(parts))


def _lines(parts: Sequence[Table | Text]) -> int:
    """How many lines some parts take."""
    return sum(part.row_count + part.show_header if isinstance(part, Table) else 1 for part in parts)


def _keys() -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for key, meaning in HELP:
        table.add_row(key, meaning)
    return table


def _is_ending(now: Snapshot) -> bool:
    return any(service.state in _ENDING for service in now.services)


def _footer(now: Snapshot, view: View) -> str:
    if now.services and all(service.state == "stopped" for service in now.services):
        return "stopped"
    if view.is_stopping or _is_ending(now):
        return "stopping, Ctrl-C again stops at once"
    return "q drains and stops everything, ? shows the keys"
