"""Decides from a record and the commands about it where it stands, its state and its lane.

Everything is decided anew each time. What a record gains by being decided is its time of admission, which holds its
place once a cap has let it in: a cap delays an admission and never decides it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from processors.registry.commands import Wanted
from schemas.records.relay import MOST_HISTORY, RETRY_TIERS_S, Lane, RelayRecord, Source, State, StateChange

ENOUGH_AUTHORS = 2
"""Distinct authors of events that name a relay: one may be a joke, a typing error or a private relay's own user."""
LAST_TIER = len(RETRY_TIERS_S)
"""So many failures in a row are waited for; the next one evicts."""
EVICTED_MS = 30 * 86_400_000
"""After this long an evicted relay has another try: relays do come back, and a try a month costs nothing."""

_FREE: frozenset[Source] = frozenset({"operator", "seed"})
_BY_WEIGHT: tuple[Source, ...] = ("operator", "seed", "api", "event", "publish")


class Claim(Enum):
    """What a record has to be read by."""

    AT_ONCE = auto()
    """A person or a seed list wants it, or a person denies it, which connectors are to know."""
    IN_TURN = auto()
    """An API or enough authors name it: admitted when a cap has room."""
    UNKNOWN = auto()
    """Too few name it."""
    EVICTED = auto()
    """It was silent past the last tier."""
    REMOVED = auto()
    """A person took it off the list; events do not bring it back."""


class Decision(NamedTuple):
    """Whether a record stands in `relays` or in `relays.candidates`, and the record with what was decided."""

    admitted: bool
    record: RelayRecord


def claim(record: RelayRecord, wanted: Wanted, now_ms: int) -> Claim:
    """Return what a record has to be read by."""
    if wanted.own is not None:
        return Claim.REMOVED if wanted.own.action == "remove" else Claim.AT_ONCE
    if is_free(record):
        return Claim.AT_ONCE
    report = record.report
    if (
        report is not None
        and report.state == "silent"
        and report.tries > LAST_TIER
        and now_ms < report.at_ms + EVICTED_MS
    ):
        return Claim.EVICTED
    return Claim.IN_TURN if is_vouched(record) else Claim.UNKNOWN


def is_free(record: RelayRecord) -> bool:
    """Whether a person or a seed list has named it: no cap counts it, and silence does not evict it."""
    return not _FREE.isdisjoint(record.sources)


def is_vouched(record: RelayRecord) -> bool:
    """Whether enough name it."""
    return len(record.authors) >= ENOUGH_AUTHORS or "api" in record.sources


def decide(record: RelayRecord, wanted: Wanted, *, has_room: bool, duplicate_of: str | None, now_ms: int) -> Decision:
    """Decide about a record.

    A host's denial does not change where a record stands, so that the order of news does not either.

    Args:
        record: what is known.
        wanted: by the commands about it.
        has_room: whether the caps let another one in now.
        duplicate_of: the URL that is read instead of it.
        now_ms: Unix time.
    """
    standing = claim(record, wanted, now_ms)
    admitted = standing is Claim.AT_ONCE or (
        standing is Claim.IN_TURN and (record.admitted_at_ms is not None or has_room)
    )
    own, denied = wanted.own, wanted.denied
    sources = {*record.sources, own.source} if own is not None and own.action == "add" else set(record.sources)
    spelling, allow_private = record.spelling, record.allow_private
    if own is not None and own.action == "add":
        spelling, allow_private = own.spelling or spelling, own.allow_private
    state = _state(record, denied=denied)
    changed = state != record.state
    return Decision(
        admitted,
        record.model_copy(
            update={
                "spelling": spelling,
                "first_seen_ms": _first_seen_ms(record, wanted),
                "sources": tuple(sorted(sources)),
                "source": next((each for each in _BY_WEIGHT if each in sources), record.source),
                "state": state,
                "lane": _lane(record, wanted),
                "allowed": not denied,
                "allow_private": allow_private,
                "duplicate_of": duplicate_of if admitted and not denied else None,
                "admitted_at_ms": _admitted_at_ms(record, wanted, now_ms) if admitted else None,
                "command": wanted.in_force,
                "history": (*record.history, StateChange(state=state, at_ms=now_ms))[-MOST_HISTORY:]
                if changed
                else record.history,
                "updated_at_ms": now_ms,
            }
        ),
    )


def _state(record: RelayRecord, *, denied: bool) -> State:
    if denied:
        return "denied"
    return record.report.state if record.report is not None else "candidate"


def _lane(record: RelayRecord, wanted: Wanted) -> Lane:
    """The lane of the command about the URL; without one, that of a record of before there were commands."""
    return wanted.own.lane if wanted.own is not None else record.lane


def _first_seen_ms(record: RelayRecord, wanted: Wanted) -> int | None:
    """A command about a URL names it, too."""
    if wanted.own is None:
        return record.first_seen_ms
    return min(wanted.own.at_ms, wanted.own.at_ms if record.first_seen_ms is None else record.first_seen_ms)


def _admitted_at_ms(record: RelayRecord, wanted: Wanted, now_ms: int) -> int | None:
    """A denied URL is told to connectors and not admitted; that of a denied host keeps the place that it has."""
    if record.admitted_at_ms is not None or (wanted.own is not None and wanted.own.action == "deny"):
        return record.admitted_at_ms
    return now_ms
