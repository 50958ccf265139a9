"""Shows refused input as text or JSON; untrusted bytes are escaped, so that a terminal never acts on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import click

from bigbrotr.console.snapshot_view import printable, size
from producers.rejected.records import RejectedInput
from producers.rejected.replay import ReplayReport

# Of the bytes of one input, on a terminal: some screens; `--raw` gives all.
SHOWN_BYTES = 64 * 1024
HEADING = f"{'refused at (UTC)':<19}  {'stage':<9}  {'reason':<23}  {'size':>9}  {'place':<22}  relay, field"


def line(item: RejectedInput) -> str:
    """Write an input as one line of the table."""
    rejection = item.rejection
    where = (rejection.relay, rejection.field) if rejection is not None else ()
    told = ", ".join(printable(part) for part in where if part)
    return (
        f"{_moment(item.time_ms):<19}  {printable(item.stage) or '-':<9}  {item.reason:<23}  "
        f"{size(len(item.value)):>9}  {item.place!s:<22}  {told or '-'}"
    )


def document(item: RejectedInput) -> dict[str, Any]:
    """Give an input as JSON-ready values, without its bytes."""
    headers = {} if item.rejection is None else item.rejection.model_dump(mode="json", exclude={"reason", "stage"})
    return {
        "place": str(item.place),
        "time_ms": item.time_ms,
        "stage": item.stage,
        "reason": item.reason,
        **headers,
        "key": None if item.key is None else item.key.hex(),
        "size_bytes": len(item.value),
    }


def whole(item: RejectedInput) -> Iterator[str]:
    """Show an input line by line: where it lies, its headers as they are, its bytes."""
    yield f"{'place':<17} {item.place}"
    yield f"{'refused at (UTC)':<17} {_moment(item.time_ms)}"
    for name, value in item.headers:
        yield f"{printable(name):<17} {printable(_text(value))}"
    if item.key is not None:
        yield f"{'key':<17} {item.key.hex()}"
    yield f"{'size':<17} {len(item.value):,} bytes"
    yield ""
    yield from (printable(part) for part in _text(item.value[:SHOWN_BYTES]).split("\n"))
    if len(item.value) > SHOWN_BYTES:
        yield f"... and {len(item.value) - SHOWN_BYTES:,} bytes more: --raw writes all of them"


def replayed(report: ReplayReport, *, dry_run: bool) -> Iterator[str]:
    """Describe what a replay did: a line for each stage, reason and present verdict, most frequent first."""
    if report.outcomes:
        yield click.style(f"{'count':>9}  {'stage':<9}  {'was refused as':<23}  is now", dim=True)
    for (stage, reason, verdict), count in report.outcomes.most_common():
        yield f"{count:>9,}  {printable(stage) or '-':<9}  {reason:<23}  {printable(verdict)}"
    done = "would be sent again (--dry-run)" if dry_run else "sent again"
    yield f"{report.selected:,} of {report.read:,} records selected, {report.sent:,} {done}"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _moment(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(max(0, time_ms) // 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
