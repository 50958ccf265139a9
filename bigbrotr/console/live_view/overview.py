"""Counts, servers and services above the relays: as tables, or on a few lines where there is little room.

Pure functions; every row and every text is one line.
"""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from bigbrotr.console.live_view.styles import line, style
from bigbrotr.console.snapshot_view import (
    GOOD,
    about,
    by_reason,
    lags,
    number,
    per_second,
    printable,
    probe_summary,
    service_trouble,
)
from bigbrotr.status.snapshot import Rates, Snapshot

_BRIEF_TROUBLES = 2  # of services, each on a line; more are counted


def full(now: Snapshot, rate: Rates) -> list[Table | Text]:
    """Everything, with an empty line after each table."""
    return [_counts(now, rate), Text(), _services(now), Text()]


def brief(now: Snapshot, rate: Rates) -> list[Table | Text]:
    """The figures that move, and which servers and services are in trouble: three to five lines."""
    counts = now.counts
    received = f"received {number(counts.received)} ({per_second(rate.received)})"
    archived = f"archived {about(counts.archived, exact=counts.archived_exact)} ({per_second(rate.archived)})"
    troubles = [
        *(f"{name}: {_with_note(now, name, state)}" for name, state in now.servers.items() if state not in GOOD),
        *(f"{each.name}: {trouble}" for each in now.services if (trouble := service_trouble(each))),
    ]
    well = f"{len(now.servers) + len(now.services) - len(troubles)} servers and services are well"
    more = f", {len(troubles) - _BRIEF_TROUBLES} more in trouble" if len(troubles) > _BRIEF_TROUBLES else ""
    return [
        line(f"{received}, {archived}"),
        line(f"rejected {number(sum(counts.rejected.values()))}, lag {lags(now)}"),
        *(line(trouble, "red") for trouble in troubles[:_BRIEF_TROUBLES]),
        line(f"{well}{more}"),
    ]


def _counts(now: Snapshot, rate: Rates) -> Table:
    table = Table.grid(padding=(0, 3), expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", justify="right", no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
    counts = now.counts
    table.add_row("received", number(counts.received), per_second(rate.received), "copies from relays")
    table.add_row(
        "verified", number(counts.verified), per_second(rate.verified), f"lag {number(now.lags['processor'])}"
    )
    table.add_row("duplicates", number(counts.duplicates), "", "")
    rejected = sum(counts.rejected.values())
    table.add_row("rejected", number(rejected), "", by_reason(counts.rejected))
    if counts.quarantined:
        table.add_row("quarantined", number(sum(counts.quarantined.values())), "", by_reason(counts.quarantined))
    table.add_row(
        "archived",
        Text(about(counts.archived, exact=counts.archived_exact), style="bold green"),
        per_second(rate.archived),
        f"lag {number(now.lags['sink'])}",
    )
    table.add_row("sightings", number(counts.sightings), "", "who had which event")
    if now.probing is not None:
        table.add_row("probed", number(sum(now.probing.verdicts.values())), "", probe_summary(now.probing))
    return table


def _services(now: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim", expand=True)
    table.add_column("service", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("restarts", justify="right", no_wrap=True)
    table.add_column("note", overflow="ellipsis", no_wrap=True, ratio=1)
    for name, state in now.servers.items():
        word, _, why = state.partition(": ")
        note = _with_note(now, name, why)
        table.add_row(name, Text(printable(word), style=style(word)), "", Text(printable(note)))
    for each in now.services:
        word = each.state if each.state != "running" or each.problem is None else "not ready"
        note = each.problem or each.note
        table.add_row(each.name, Text(word, style=style(word)), str(each.restarts or ""), Text(printable(note)))
    return table


def _with_note(now: Snapshot, name: str, told: str) -> str:
    """What is told of a server, and what its guard says of it."""
    return "; ".join(text for text in (told, now.server_notes.get(name, "")) if text)
