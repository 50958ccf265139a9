"""How a snapshot looks: a live picture for a terminal, one plain line for a log. Pure functions of their arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bigbrotr.snapshot import Rates, RelayState, ServiceState, Snapshot

MAX_RELAY_ROWS = 12  # with services and counts below, this still fits a terminal of 40 lines
_GOOD = {"running", "live", "ready", "reachable", "connected", "up"}
_BAD = {"waiting", "stopped", "unreachable", "failed", "down", "refused"}


def number(value: float | None) -> str:
    """Write a count with thousands apart, or a dash for what is not known."""
    return "-" if value is None else f"{value:,.0f}"


def per_second(value: float | None) -> str:
    """Write a rate, or a dash for what is not known."""
    return "-" if value is None else f"{value:,.0f}/s"


def size(value_bytes: int) -> str:
    """Write bytes in the unit that gives one to four digits."""
    amount = float(value_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:  # noqa: PLR2004 - the step between binary units
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def by_reason(reasons: Mapping[str, int]) -> str:
    """Write counts by reason, most frequent first: `bad_signature 3, not_json 1`."""
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items(), key=lambda r: (-r[1], r[0])))


def relay_summary(relays: Iterable[RelayState]) -> str:
    """Write how many relays are in which state: `3 live, 1 waiting`."""
    counts = Counter(relay.state for relay in relays)
    return ", ".join(f"{count} {state}" for state, count in counts.most_common()) or "none"


def plain_line(now: Snapshot, rate: Rates) -> str:
    """Write a snapshot as one log line."""
    counts = now.counts
    parts = [
        f"relays: {relay_summary(now.relays)}",
        f"received {number(counts.received)} ({per_second(rate.received)})",
        f"verified {number(counts.verified)}",
        f"duplicates {number(counts.duplicates)}",
        f"rejected {number(sum(counts.rejected.values()))}"
        + (f" ({by_reason(counts.rejected)})" if counts.rejected else ""),
        f"archived {number(counts.archived)} ({per_second(rate.archived)})",
        f"lag processor {number(now.processor_lag)}, sink {number(now.sink_lag)}",
    ]
    if counts.quarantined:
        parts.insert(5, f"quarantined {by_reason(counts.quarantined)}")
    parts += [f"{service.name}: {trouble}" for service in now.services if (trouble := service_trouble(service))]
    return " | ".join(parts)


def service_trouble(service: ServiceState) -> str:
    """Say what is wrong with a service, or nothing."""
    if service.state != "running":
        return f"{service.state} {service.note}".strip()
    return service.problem or ""


def picture(now: Snapshot, rate: Rates, *, title: str, footer: str = "Ctrl-C drains and stops everything") -> Panel:
    """Draw a snapshot for a terminal."""
    parts: list[RenderableType] = [_counts(now, rate), Text(), _services(now), Text(), _relays(now.relays)]
    if now.events:
        parts += [Text(), *(Text(line, style="yellow") for line in now.events[-4:])]
    return Panel(Group(*parts), title=f"[bold]{escape(title)}[/]", subtitle=f"[dim]{escape(footer)}[/]", expand=True)


def _counts(now: Snapshot, rate: Rates) -> Table:
    table = Table.grid(padding=(0, 3), expand=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(style="dim", justify="right")
    table.add_column(overflow="fold")
    counts = now.counts
    table.add_row("received", number(counts.received), per_second(rate.received), "copies from relays")
    table.add_row("verified", number(counts.verified), per_second(rate.verified), f"lag {number(now.processor_lag)}")
    table.add_row("duplicates", number(counts.duplicates), "", "")
    rejected = sum(counts.rejected.values())
    table.add_row("rejected", number(rejected), "", by_reason(counts.rejected))
    if counts.quarantined:
        table.add_row("quarantined", number(sum(counts.quarantined.values())), "", by_reason(counts.quarantined))
    table.add_row(
        "archived",
        Text(number(counts.archived), style="bold green"),
        per_second(rate.archived),
        f"lag {number(now.sink_lag)}",
    )
    table.add_row("sightings", number(counts.sightings), "", "who had which event")
    return table


def _style(state: str) -> str:
    return "green" if state in _GOOD else "red" if state in _BAD else "yellow"


def _services(now: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("service", "state", "restarts", "note"):
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    for name, state in now.servers.items():
        table.add_row(name, Text(state, style=_style(state)), "", "")
    for service in now.services:
        state = service.state if service.state != "running" or service.problem is None else "not ready"
        note = Text(service.problem or service.note)
        table.add_row(service.name, Text(state, style=_style(state)), str(service.restarts or ""), note)
    return table


def _relays(relays: tuple[RelayState, ...]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column(f"relay ({relay_summary(relays)})", overflow="ellipsis", no_wrap=True)
    table.add_column("state")
    table.add_column("received", justify="right")
    table.add_column("note", overflow="ellipsis", no_wrap=True)
    # Busy ones first, then by name, so that rows do not jump about while nothing changes.
    shown = sorted(relays, key=lambda relay: (-relay.received, relay.url))
    for relay in shown[:MAX_RELAY_ROWS]:
        table.add_row(
            Text(relay.url), Text(relay.state, style=_style(relay.state)), number(relay.received), Text(relay.detail)
        )
    if len(shown) > MAX_RELAY_ROWS:
        table.add_row(Text(f"… and {len(shown) - MAX_RELAY_ROWS:,} more", style="dim"), "", "", "")
    return table
