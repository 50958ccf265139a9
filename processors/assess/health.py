"""Folds one probe into the health of its relay.

The same probes in the order of their times give the same record, however often each comes, and on whatever clock. What
a clock says beside them is in `promise.as_of`, which a later probe undoes where it came too early.
"""

from __future__ import annotations

from typing import TypeVar

from processors.assess import latency, outages, tallies
from processors.assess.promise import as_of, stands_s
from schemas.records.document import Document
from schemas.records.probe import Nip11Check, ProbeRecord
from schemas.records.relay_health import (
    MOST_CHANGES,
    MOST_DAYS,
    MOST_HOURS,
    DocumentChange,
    RelayHealth,
)
from schemas.records.seen import Seen, seen

_GONE = frozenset({200, 204, 404, 406, 410})
"""With one of these, no document and no refusal, HTTP says that there is none; others say that the relay is down. A
page that a browser is to solve may come with 200."""

D = TypeVar("D", bound=Document)


def new(probe: ProbeRecord) -> RelayHealth:
    """The health of a relay of which nothing is known before this probe."""
    return RelayHealth(url=probe.url, network=probe.network, state="unknown", judged_at_ms=probe.probed_at_ms)


def is_news(health: RelayHealth, probe: ProbeRecord) -> bool:
    """Whether a probe is newer than what is known."""
    return health.probed_at_ms is None or health.probed_at_ms < probe.probed_at_ms


def fold(health: RelayHealth, probe: ProbeRecord) -> RelayHealth:
    """Return the health once a probe is known; one that is no news changes nothing."""
    if not is_news(health, probe):
        return health
    at_ms = probe.probed_at_ms
    health = as_of(health, at_ms)
    shown = seen(probe.verdict, probe.cause)
    before = _before(health, at_ms)
    since_ms = _confirmed_since_ms(health, probe, shown, before)
    span, at_s = _span(health, probe, shown, before), at_ms // 1000
    failed = None if shown == "unknown" else shown != "online"
    nip11 = probe.checks.nip11
    document = _document(health.document, nip11)
    return health.model_copy(
        update={
            "state": health.state if since_ms is None else shown,
            "since_ms": health.since_ms if since_ms is None or health.state == shown else since_ms,
            "lapsed_from": None,
            **_judgement(health, probe),
            "failures": health.failures if failed is None else health.failures + 1 if failed else 0,
            "probed_at_ms": at_ms,
            "next_in_s": probe.next_in_s,
            "full_at_ms": at_ms if probe.is_full else health.full_at_ms,
            "online_at_ms": at_ms if shown == "online" else health.online_at_ms,
            "checks": _newest(health.checks, probe.checks),
            "observed": _newest(health.observed, probe.observed),
            "document": document,
            "changes": _changes(health, document, at_ms),
            "hours": tallies.add(health.hours, tallies.HOUR_S, MOST_HOURS, at_s=at_s, failed=failed, span=span),
            "days": tallies.add(health.days, tallies.DAY_S, MOST_DAYS, at_s=at_s, failed=failed, span=span),
            "latencies": latency.add(health.latencies, at_s // tallies.DAY_S, probe.checks),
            "outages": outages.after(health, probe, since_ms),
            "claims": tuple(claim for claim in health.claims if claim.monitor != probe.by),
            "judged_at_ms": at_ms,
        }
    )


def _judgement(health: RelayHealth, probe: ProbeRecord) -> dict[str, object]:
    """Verdict, cause and detail. A short probe that works has written nothing, and refutes no policy on that."""
    stays = probe.verdict == "works" and not probe.is_full and _refuses_writing_only(health)
    by: RelayHealth | ProbeRecord = health if stays else probe
    return {"verdict": by.verdict, "cause": by.cause, "detail": by.detail}


def _refuses_writing_only(health: RelayHealth) -> bool:
    """Whether the verdict is that of a relay which gave what it was asked, and took no event of ours."""
    checks = health.checks
    gave = checks.open is not None and checks.open.ok and checks.read is not None and checks.read.cause is None
    return health.verdict == "refused_by_policy" and gave and checks.write is not None


def _before(health: RelayHealth, at_ms: int) -> Seen | None:
    """What the probe before showed, if it still stands."""
    if health.verdict is None or health.probed_at_ms is None:
        return None
    stands = at_ms < health.probed_at_ms + 1000 * stands_s(health.next_in_s)
    return seen(health.verdict, health.cause) if stands else None


def _confirmed_since_ms(health: RelayHealth, probe: ProbeRecord, shown: Seen, before: Seen | None) -> int | None:
    """Since when the relay is as the probe shows it; None where that is one failed attempt, which may be chance.

    A second attempt confirms it, and so does the probe before.
    """
    if before == shown and shown not in {"online", health.state}:
        return health.probed_at_ms
    goes_on = shown == "offline" and outages.is_down(health)
    sure = shown in {"online", "unknown"} or probe.attempts > 1
    return probe.probed_at_ms if sure or before == shown or goes_on else None


def _span(health: RelayHealth, probe: ProbeRecord, shown: Seen, before: Seen | None) -> tallies.Span | None:
    """What the probe before stands for, until this one or as long as the schedule promised.

    Nothing is known of a relay that refuses us, nor while one failed attempt is not confirmed.
    """
    if health.verdict is None or health.probed_at_ms is None:
        return None
    was = seen(health.verdict, health.cause)
    is_up = was == "online"
    if not is_up and not (was == "offline" and (outages.is_down(health) or before == shown)):
        return None
    since_s = health.probed_at_ms // 1000
    until_s = min(probe.probed_at_ms // 1000, since_s + stands_s(health.next_in_s))
    return tallies.Span(since_s, until_s, is_up)


def _newest(known: D, told: D) -> D:
    """Return what is told, and what is known where nothing is."""
    return known.model_copy(
        update={name: value for name in type(told).model_fields if (value := getattr(told, name)) is not None}
    )


def _document(known: str | None, nip11: Nip11Check | None) -> str | None:
    """The hash of the document that a relay gives now. What was not asked, or not answered, leaves it as it was."""
    if nip11 is None:
        return known
    gone = nip11.document is None and nip11.status in _GONE and nip11.cause is None
    return None if gone else nip11.document or known


def _changes(health: RelayHealth, document: str | None, at_ms: int) -> tuple[DocumentChange, ...]:
    """Add that another document is given; the first one that is met is no change."""
    if document == health.document or health.checks.nip11 is None:
        return health.changes
    change = DocumentChange(at_ms=at_ms, before=health.document, after=document)
    return (*health.changes, change)[-MOST_CHANGES:]
