"""Records of the registry as people and programs read them. Pure functions of their arguments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from bigbrotr.console.snapshot_view import printable
from bigbrotr.status.registry import sources_of
from schemas.records.relay import MOST_AUTHORS, RelayRecord
from schemas.records.relay_command import RelayCommand

_LABEL_CELLS = 14
_DONE = {"add": "added", "remove": "removed", "deny": "denied"}


def document(topic: str, record: RelayRecord) -> dict[str, object]:
    """The record with the topic in which it stands."""
    return {"topic": topic, **record.model_dump(mode="json"), "sources": list(sources_of(record))}


def line(record: RelayRecord) -> str:
    """A line of a list: state, lane, network, URL, who named it, and what keeps it from being read."""
    note = _note(record)
    shown = f"{record.state:<9}  {record.lane:<8}  {record.network:<8}  {record.url}  {','.join(sources_of(record))}"
    return f"{shown}  {note}" if note else shown


def _note(record: RelayRecord) -> str:
    if record.duplicate_of is not None:
        return f"duplicate of {record.duplicate_of}"
    if not record.allowed:
        reason = record.command.reason if record.command is not None else ""
        return printable(reason)
    if record.report is not None and record.report.state != "confirmed":
        return printable(record.report.detail)
    return ""


def whole(
    url: str, topic: str | None, record: RelayRecord | None, commands: Mapping[str, RelayCommand]
) -> Iterator[str]:
    """All that is known of a relay, line by line.

    Args:
        url: of it.
        topic: in which the record stands.
        record: None where the registry has none.
        commands: those that are about it or its host, by their keys.
    """
    yield url
    if record is None:
        yield row("registry", "has not decided yet")
    else:
        yield from (row(label, text) for label, text in _facts(topic, record) if text)
    yield from (row("command", _command(command)) for _, command in sorted(commands.items()))
    if record is not None:
        yield from (row("was", f"{each.state} from {moment(each.at_ms)}") for each in reversed(record.history))


def _facts(topic: str | None, record: RelayRecord) -> Iterator[tuple[str, str]]:
    why = "candidate" if topic == "relays.candidates" else record.left_because
    yield "read", "yes" if why is None else f"no: {why}"
    yield "state", record.state
    yield "lane", record.lane
    yield "network", record.network
    yield "duplicate of", record.duplicate_of or ""
    yield "dialled as", printable(record.spelling) if record.spelling not in (None, record.url) else ""
    yield "named by", ", ".join(sources_of(record))
    yield "authors", _authors(len(record.authors))
    yield "places", printable(", ".join(record.places))
    yield "first seen", _moment(record.first_seen_ms)
    yield "admitted", _moment(record.admitted_at_ms)
    yield "address", "may be private" if record.allow_private else ""
    if (report := record.report) is not None:
        failures = f", {failures_in_a_row(report.tries)}" if report.tries else ""
        detail = f": {printable(report.detail)}" if report.detail else ""
        yield "connector", f"{report.state} at {moment(report.at_ms)}{failures}{detail}"


def _authors(count: int) -> str:
    if not count:
        return ""
    return f"{count} at least" if count == MOST_AUTHORS else str(count)


def _command(command: RelayCommand) -> str:
    whom = f"{command.target} " if "://" not in command.target else ""
    lane = f", lane {command.lane}" if command.action == "add" else ""
    private = ", may be private" if command.allow_private else ""
    reason = f": {printable(command.reason)}" if command.reason else ""
    return f"{whom}{_DONE[command.action]} by {command.source} at {moment(command.at_ms)}{lane}{private}{reason}"


def row(label: str, text: str) -> str:
    """A line of what is shown of a relay."""
    return f"  {label:<{_LABEL_CELLS}}{text}"


def _moment(at_ms: int | None) -> str:
    return "" if at_ms is None else moment(at_ms)


def failures_in_a_row(number: int) -> str:
    """Write how often something has failed without a success between."""
    return f"{number:,} {'failure' if number == 1 else 'failures'} in a row"


def moment(at_ms: int) -> str:
    """Write a time of a record in UTC; one that no calendar has, as it stands."""
    try:
        return f"{dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"
