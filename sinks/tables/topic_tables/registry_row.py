"""Makes the row of the table `registry` of a record of `relays`: within PostgreSQL's types, bounded, without U+0000."""

from __future__ import annotations

from schemas.records.relay import LONGEST_DETAIL, RelayRecord, Source
from schemas.relay_urls.relay_url import MAX_URL_LENGTH
from sinks.tables.topic_tables.bounded import INT32_MAX, text, whole

COLUMNS = (
    *("url", "spelling", "network", "state", "lane", "allowed", "allow_private", "duplicate_of"),
    *("sources", "first_seen_ms", "admitted_at_ms", "authors", "places"),
    *("command_action", "command_target", "command_reason", "command_at_ms"),
    *("report_state", "report_tries", "report_detail", "report_at_ms"),
    *("history", "updated_at_ms"),
)
# `10002 r`, or the name of a list; the schema has no bound.
_LONGEST_PLACE = 100


def registry_row(record: RelayRecord) -> dict[str, object]:
    """The row as members of JSON.

    A record without sources was written before there was a registry, and told connectors of the operator's relay.
    """
    command, report = record.command, record.report
    was_published = not record.sources
    admitted_at_ms = record.admitted_at_ms
    if admitted_at_ms is None and was_published and record.allowed:
        admitted_at_ms = record.updated_at_ms
    return {
        "url": record.url,
        "spelling": _url(record.spelling or record.url),
        "network": record.network.value,
        "state": record.state,
        "lane": record.lane,
        "allowed": record.allowed,
        "allow_private": record.allow_private,
        "duplicate_of": None if record.duplicate_of is None else _url(record.duplicate_of),
        "sources": ["operator"] if was_published else sorted({_source(each) for each in record.sources}),
        "first_seen_ms": whole(record.first_seen_ms),
        "admitted_at_ms": whole(admitted_at_ms),
        "authors": len(set(record.authors)),
        "places": [text(place, _LONGEST_PLACE) for place in record.places],
        "command_action": None if command is None else command.action,
        "command_target": None if command is None else _url(command.target),
        "command_reason": None if command is None else text(command.reason, LONGEST_DETAIL),
        "command_at_ms": None if command is None else whole(command.at_ms),
        "report_state": None if report is None else report.state,
        "report_tries": None if report is None else min(report.tries, INT32_MAX),
        "report_detail": None if report is None else text(report.detail, LONGEST_DETAIL),
        "report_at_ms": None if report is None else whole(report.at_ms),
        "history": [{"state": each.state, "at_ms": whole(each.at_ms)} for each in record.history],
        "updated_at_ms": whole(record.updated_at_ms),
    }


def _source(source: Source) -> str:
    return "operator" if source == "publish" else source


def _url(url: str) -> str:
    return text(url, MAX_URL_LENGTH)
