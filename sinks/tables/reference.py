"""Generates the reference of the tables in `docs/reference/tables.md`; `python -m sinks.tables.reference` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from sinks.tables import TABLES, Tables
from sinks.tables.month_counts import MONTH_COUNTS

_HEAD = "| table | a row is | comes from | erased by | digest |\n|---|---|---|---|---|"


def reference(tables: Tables = TABLES) -> str:
    """Give the tables in the order in which they are written, as a table of Markdown."""
    return "\n".join([_HEAD, *_lines(tables)])


def _lines(tables: Tables) -> Iterator[str]:
    state = {digest.name for digest in tables.state}
    for table in tables.topics:
        kinds = {"state" if digest.name in state else "archive" for digest in table.digests}
        yield _line(table.name, table.holds, f"topic `{table.topic}`", table.of_event, ", ".join(sorted(kinds)))
    for projection in tables.every_projection:
        yield _line(projection.name, projection.holds, "events", projection.of_event, "archive")
    for rule in tables.rules:
        yield _line(rule.name, "a rule of erasure that was applied", "topic `erasures`", None, "archive")
    counted = "how many events, or pairs of event and relay, a month holds"
    yield _line(MONTH_COUNTS.name, counted, "`events`, `sightings`", None, "archive")


def _line(name: str, holds: str, source: str, of_event: tuple[str, ...] | None, digest: str) -> str:
    columns = "–" if of_event is None else ", ".join(f"`{column}`" for column in of_event)  # noqa: RUF001 - a dash
    return f"| `{name}` | {holds} | {source} | {columns} | {digest} |"


if __name__ == "__main__":
    print(reference())  # noqa: T201 - what it is for
