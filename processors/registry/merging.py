"""Merges what is known of one relay URL: commutative, associative and idempotent, so that a replay converges.

What is decided from it (where it stands, state, lane, admission) is no part of this: `processors.registry.admission`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from schemas.records.document import Document
from schemas.records.relay import (
    MOST_AUTHORS,
    MOST_HISTORY,
    MOST_PLACES,
    RelayRecord,
    Report,
    SameDocument,
    Source,
    StateChange,
)
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_found import RelayFound

D = TypeVar("D", RelayCommand, Report, SameDocument)

_BEFORE_REGISTRY = "publish"


def merge(one: RelayRecord, other: RelayRecord) -> RelayRecord:
    """Return what two records of one URL say together; what is decided is as in the newer, until it is decided anew."""
    newer = max(one, other, key=_decided)
    first = min(one, other, key=_first)
    return newer.model_copy(
        update={
            "spelling": first.spelling,
            "first_seen_ms": first.first_seen_ms,
            "sources": tuple(sorted({*one.sources, *other.sources})),
            "authors": _least(one.authors, other.authors, most=MOST_AUTHORS),
            "places": _least(one.places, other.places, most=MOST_PLACES),
            "command": newest(one.command, other.command),
            "report": newest(one.report, other.report),
            "same_document": newest(one.same_document, other.same_document),
            "admitted_at_ms": _earliest(one.admitted_at_ms, other.admitted_at_ms),
            "history": _latest(one.history, other.history),
        }
    )


def take(record: RelayRecord, found: RelayFound) -> RelayRecord:
    """Return a record with what was found of its URL. Commands are no part of it: they are known by themselves."""
    source, command = naming(found), found.command
    seen_at = [found.first_seen_ms] if source is not None else []
    if command is not None:
        seen_at.append(command.at_ms)
    return merge(
        record,
        record.model_copy(
            update={
                "spelling": record.spelling if source is None else found.spelling,
                "first_seen_ms": min(seen_at, default=record.first_seen_ms),
                "sources": () if source is None else (source,),
                "authors": found.authors,
                "places": found.places,
                "report": found.report,
                "same_document": found.same_document,
            }
        ),
    )


def naming(found: RelayFound) -> Source | None:
    """Who names a relay by this, or None. A command that takes it away is no endorsement."""
    if found.command is not None and found.command.action != "add":
        return None
    return found.source


def adopt(record: RelayRecord) -> RelayRecord:
    """Read a record that was written before there was a registry as the operator's, admitted when it was written."""
    if record.sources or record.source != _BEFORE_REGISTRY:
        return record
    at_ms = record.updated_at_ms
    return record.model_copy(
        update={"source": "operator", "sources": ("operator",), "first_seen_ms": at_ms, "admitted_at_ms": at_ms}
    )


def newest(one: D | None, other: D | None) -> D | None:
    """Return the newer of two; of equal times the one whose text is greater, whatever their order."""
    if one is None or other is None or one == other:
        return one or other
    return max(one, other, key=_age)


def _age(document: RelayCommand | Report | SameDocument) -> tuple[int, bytes]:
    return document.at_ms, Document.encode(document)


def _decided(record: RelayRecord) -> tuple[object, ...]:
    """What orders records by their decisions; all fields that `merge` takes from the newer are in it."""
    return (
        record.updated_at_ms,
        record.source,
        record.state,
        record.lane,
        record.allowed,
        record.allow_private,
        record.duplicate_of or "",
    )


def _first(record: RelayRecord) -> tuple[bool, int, bool, str]:
    return record.first_seen_ms is None, record.first_seen_ms or 0, record.spelling is None, record.spelling or ""


def _least(one: Iterable[str], other: Iterable[str], *, most: int) -> tuple[str, ...]:
    return tuple(sorted({*one, *other})[:most])


def _earliest(one: int | None, other: int | None) -> int | None:
    return min((at_ms for at_ms in (one, other) if at_ms is not None), default=None)


def _latest(one: Iterable[StateChange], other: Iterable[StateChange]) -> tuple[StateChange, ...]:
    changes = {(change.at_ms, change.state): change for change in (*one, *other)}
    return tuple(changes[key] for key in sorted(changes)[-MOST_HISTORY:])
