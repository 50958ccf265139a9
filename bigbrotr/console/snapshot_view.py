"""Renders a snapshot: a live view for a terminal, one plain line for a log. Pure functions of their arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bigbrotr.status.snapshot import Rates, RelayState, ServiceState, Snapshot

MAX_RELAY_ROWS = 12  # with services and counts below, this still fits a terminal of 40 lines
MAX_URL_CELLS = 44  # longer than nearly every relay's URL, and leaves room for its state and a word of the reason
# Kafka and PostgreSQL set up files of 16 MiB and more at a time, and stop when there is no room for one.
LOW_DISK_BYTES = 128 * 1024 * 1024
_GOOD = {"running", "live", "ready", "reachable", "connected", "up"}
_ENDING = {"stopping", "stopped"}
_BAD = {"waiting", "stopped", "unreachable", "failed", "down", "refused"}


def printable(text: str) -> str:
    """Write everything that is no visible character, control codes and marks of direction included, as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def number(value: float | None) -> str:
    """Write a count with thousands apart, or a dash for what is not known."""
    return "-" if value is None else f"{value:,.0f}"


def about(value: float | None, *, exact: bool) -> str:
    """Write a count; one that is estimated is called so."""
    return number(value) if exact or value is None else f"about {number(value)}"


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


def lags(now: Snapshot) -> str:
    """Write the lag of each service that has one: `processor 3, sink 17`."""
    return ", ".join(f"{name} {number(lag)}" for name, lag in now.lags.items())


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
        f"archived {about(counts.archived, exact=counts.archived_exact)} ({per_second(rate.archived)})",
        f"lag {lags(now)}",
    ]
    if counts.quarantined:
        parts.insert(5, f"quarantined {by_reason(counts.quarantined)}")
    parts += [f"{name}: {state}" for name, state in now.servers.items() if state not in _GOOD]
    parts += [f"{service.name}: {trouble}" for service in now.services if (trouble := service_trouble(service))]
    parts += [trouble for trouble in [disk_trouble(now.disk)] if trouble]
    return " | ".join(parts)


def disk_trouble(disk: Mapping[str, int]) -> str:
    """Describe that the disk of the data directory is nearly full, or return nothing."""
    free_bytes = disk.get("free_bytes", LOW_DISK_BYTES)
    if free_bytes >= LOW_DISK_BYTES:
        return ""
    return f"the disk is nearly full, {size(free_bytes)} are free: make room, and the servers go on by themselves"


def service_trouble(service: ServiceState) -> str:
    """Describe what is wrong with a service, or return nothing."""
    if service.state != "running":
        return f"{service.state} {service.note}".strip()
    return service.problem or ""


def picture(now: Snapshot, rate: Rates, *, title: str) -> Panel:
    """Draw a snapshot for a terminal."""
    stopping = any(service.state in _ENDING for service in now.services)
    if not stopping:
        footer = "Ctrl-C drains and stops everything"
    else:
        ended = all(service.state == "stopped" for service in now.services)
        footer = "stopped" if ended else "Ctrl-C again stops at once"
    parts: list[RenderableType] = [_counts(now, rate), Text(), _services(now)]
    if now.relays or not stopping:
        parts += [Text(), _relays(now.relays)]
    if trouble := disk_trouble(now.disk):
        parts += [Text(), Text(trouble, style="red")]
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
    return table


def _style(state: str) -> str:
    return "green" if state in _GOOD else "red" if state in _BAD else "yellow"


def _services(now: Snapshot) -> Table:
    table = _table("service", "state", "restarts", "note")
    for name, state in now.servers.items():
        word, _, why = state.partition(": ")
        note = "; ".join(text for text in (why, now.server_notes.get(name, "")) if text)
        table.add_row(name, Text(word, style=_style(word)), "", Text(note))
    for service in now.services:
        state = service.state if service.state != "running" or service.problem is None else "not ready"
        note = service.problem or service.note
        table.add_row(service.name, Text(state, style=_style(state)), str(service.restarts or ""), Text(note))
    return table


def _relays(relays: tuple[RelayState, ...]) -> Table:
    table = _table(f"relay ({relay_summary(relays)})", "state", "received", "note")
    # Busy ones first, then by name, so that rows do not jump about while nothing changes.
    shown = sorted(relays, key=lambda relay: (-relay.received, relay.url))
    for relay in shown[:MAX_RELAY_ROWS]:
        table.add_row(
            Text(relay.url), Text(relay.state, style=_style(relay.state)), number(relay.received), Text(relay.detail)
        )
    if len(shown) > MAX_RELAY_ROWS:
        table.add_row(Text(f"… and {len(shown) - MAX_RELAY_ROWS:,} more", style="dim"), "", "", "")
    return table


def _table(subject: str, state: str, count: str, note: str) -> Table:
    """Make a table that gives up its notes first where the terminal is narrow, then the ends of its subjects."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", expand=True)
    # Rich narrows only columns that may wrap; what has no blank is cut there instead.
    table.add_column(Text(subject, no_wrap=True), overflow="ellipsis", max_width=MAX_URL_CELLS)
    table.add_column(state, no_wrap=True)
    table.add_column(count, justify="right", no_wrap=True)
    table.add_column(note, overflow="ellipsis", no_wrap=True, ratio=1)
    return table
