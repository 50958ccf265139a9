"""The results for a person: each figure without and with the load, and what the load hurts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.pipeline.services import NAMES

_MB = 1e6
_SLOW_DELAY_S, _DELAY_FACTOR = 2.0, 3.0
"""Longer than a batch of the sink takes, and not only because the machine is slow."""
_SLOW_HEALTH_S = 0.5
"""An event loop that is away for so long lets connections and leases of others expire in the end."""
_MUCH_MEMORY_MB = 200
_MUCH_CPU = 0.5
"""Cores more than without the load."""
_MUCH_GROWTH_MB = 100
"""A minute more than without the load; some 50 GB a year would be 0.1."""


def hurts(result: dict[str, Any]) -> list[str]:
    """What one load does to the others, in a sentence each."""
    return list(_hurts(result["baseline"], result["loaded"]))


def _hurts(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    if after["stopped"]:
        yield f"it ended after {after['seconds']} s: {after['stopped'].splitlines()[0]}"
    honest, usual = after["honest"], before["honest"]
    if missing := honest["sent"] - honest["archived"]:
        yield f"{missing} of {honest['sent']} honest events were not archived"
    p99, usual_p99 = honest["delay_s"]["p99"], usual["delay_s"]["p99"]
    if p99 is not None and usual_p99 is not None and p99 > max(_SLOW_DELAY_S, _DELAY_FACTOR * usual_p99):
        yield f"honest events took {'at least ' if missing else ''}{p99} s (p99) instead of {usual_p99}"
    yield from _services(before, after)
    yield from _growth(before, after)


def _services(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for name in NAMES:
        health, use, usual_use = after["healthz_s"][name], after["processes"][name], before["processes"][name]
        if health["failed"] or (health["p99"] or 0) > _SLOW_HEALTH_S:
            yield f"{name} answered /healthz in {health['p99']} s (p99), {health['failed']} times not at all"
        if use["peak_mb"] > usual_use["peak_mb"] + _MUCH_MEMORY_MB:
            yield f"{name} took {use['peak_mb']} MB instead of {usual_use['peak_mb']}"
        if use["cores"] > usual_use["cores"] + _MUCH_CPU:
            yield f"{name} used {use['cores']} cores instead of {usual_use['cores']}"


def _growth(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for kind in ("topics", "tables"):
        for name, grown in after[f"{kind}_bytes_per_min"].items():
            more_mb = (grown - before[f"{kind}_bytes_per_min"].get(name, 0)) / _MB
            if more_mb > _MUCH_GROWTH_MB:
                yield f"{kind.removesuffix('s')} {name} grew by {more_mb:.0f} MB a minute more"


def show(result: dict[str, Any], console: Console) -> None:
    """Print a load's table."""
    title = f"{result['load']}: {result['about']}"
    table = Table("what", "without", "with", title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in _rows(result["baseline"], result["loaded"]):
        table.add_row(*row)
    console.print(table)
    hostile, seconds = result["hostile"], result["loaded"]["seconds"]
    sent_mb = hostile["sent_bytes"] / _MB
    console.print(
        f"the hostile relay sent {sent_mb:,.1f} MB ({sent_mb / seconds:.2f} MB/s)"
        f" in {hostile['connections']} connections; states {hostile['state_shares']}, {hostile['refused']} refused;"
        f" {hostile['last_errors'] or 'no error'}"
    )
    console.print(
        f"CPU ms per MB sent: {hostile['cpu_ms_per_mb']}; bytes on disk per byte: {hostile['disk_bytes_per_byte']}"
    )
    console.print(f"counted: {result['loaded']['counted']}", highlight=False)
    console.print(f"services stopped within {result['stop_s']} s, exit codes {result['exit_codes']}")
    for sentence in result["hurts"]:
        console.print(f"[red]{sentence}[/red]")
    console.print()


def _rows(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    def row(what: str, shown: Any) -> tuple[str, str, str]:
        return what, str(shown(before)), str(shown(after))

    yield row("load average of the machine", lambda each: each["load_average"])
    yield row(
        "honest events archived, of sent", lambda each: f"{each['honest']['archived']} of {each['honest']['sent']}"
    )
    yield row("delay to the row, s: p50 / p99 / max", lambda each: _three(each["honest"]["delay_s"]))
    for name in NAMES:
        yield row(f"/healthz of {name}, s: p50 / p99 / max", lambda each, name=name: _three(each["healthz_s"][name]))
    for name in after["processes"]:
        yield row(f"{name}: cores, peak MB, end MB", lambda each, name=name: _use(each["processes"][name]))
    for kind in ("topics", "tables"):
        for name in sorted(set(before[f"{kind}_bytes_per_min"]) | set(after[f"{kind}_bytes_per_min"])):
            yield row(
                f"{kind.removesuffix('s')} {name}, MB/min",
                lambda each, kind=kind, name=name: round(each[f"{kind}_bytes_per_min"].get(name, 0) / _MB, 2),
            )


def _three(values: dict[str, Any]) -> str:
    failed = f", {values['failed']} failed" if values.get("failed") else ""
    return f"{values['p50']} / {values['p99']} / {values['max']}{failed}"


def _use(use: dict[str, Any]) -> str:
    return f"{use['cores']}, {use['peak_mb']}, {use['end_mb']}"
