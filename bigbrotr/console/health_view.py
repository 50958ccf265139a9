"""The health of a relay as people and programs read it. Pure functions of their arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from bigbrotr.console.coverage_view import percent
from bigbrotr.console.registry_view import failures_in_a_row, moment, row
from bigbrotr.console.snapshot_view import duration, number, printable
from processors.assess.claims import quorum
from processors.assess.tallies import DAY_S, HOUR_S, uptime
from schemas.latency_buckets import percentile_ms
from schemas.nostr.relay_document import RelayInformation
from schemas.records.probe import Verdict
from schemas.records.relay_health import DocumentChange, Limits, Outage, RelayHealth

PERIODS = (1, 7, 30, 90)
"""Days over which uptime is told, as by the view `relay_uptime`."""
_TIMES_DAYS = 7
"""Over which times are told."""
_QUORUM_HOURS = 24
"""Within which a claim of another monitor counts: they publish each hour to each day."""
_SHOWN = 10
"""Outages, changes and claims that are shown, the newest; JSON has all that are kept."""
_VERDICTS: Mapping[Verdict, str] = {
    "works": "works",
    "refused_by_policy": "serves somebody else",
    "refuses_us": "does not serve us",
    "not_nostr": "speaks something else",
    "broken": "is broken",
}
_OBSERVED = {
    "auth_required": "demands AUTH",
    "counts": "answers COUNT",
    "hints": "says whether it gave all",
    "reconciles": "answers NEG-OPEN",
}
Documents = Mapping[str, RelayInformation]
"""By hash, as far as they are kept."""


def uptimes(health: RelayHealth, now_s: float) -> dict[int, float | None]:
    """The share of the known seconds that were up, 0 to 1, by days; None: nothing is known of that time.

    A day is the last 24 complete hours and the one that runs; several are UTC days, of which the last one runs.
    """
    today, hour = int(now_s // DAY_S), int(now_s // HOUR_S)
    shares = {days: uptime(health.days, today - days + 1) for days in PERIODS}
    return shares | {1: uptime(health.hours, hour - 24)}


def latencies_ms(health: RelayHealth, now_s: float) -> dict[str, dict[str, float | None]]:
    """How long opening and reading took within the last 7 days: what 50, 90 and 99 of a hundred did not exceed."""
    first = int(now_s // DAY_S) - _TIMES_DAYS + 1
    counted = [each for each in health.latencies if each.day >= first]
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    opened, read = [each.open for each in counted], [each.read for each in counted]
    return {
        "open": {name: percentile_ms(opened, share) for name, share in shares.items()},
        "read": {name: percentile_ms(read, share) for name, share in shares.items()},
    }


def monitors_online(health: RelayHealth, now_s: float) -> int:
    """How many other monitors said within the last 24 hours that the relay was online."""
    return quorum(health.claims, now_s=int(now_s), hours=_QUORUM_HOURS)


def health_document(health: RelayHealth, documents: Documents, now_s: float) -> dict[str, object]:
    """The record, with what is counted from it, and of each change of the information document which members differ."""
    return {
        **health.model_dump(mode="json"),
        "uptime": {str(days): share for days, share in uptimes(health, now_s).items()},
        "latencies_ms": latencies_ms(health, now_s),
        "monitors_online": monitors_online(health, now_s),
        "changes": [
            {**change.model_dump(mode="json"), "members": changed(change, documents)} for change in health.changes
        ],
    }


def health_lines(health: RelayHealth, documents: Documents, now_s: float) -> Iterator[str]:
    """The health of a relay, line by line."""
    yield from (row(label, text) for label, text in _facts(health, documents, now_s) if text)
    yield from _newest("outage", [_outage(each, now_s) for each in health.outages])
    yield from _newest("document", [_change(each, documents) for each in health.changes])
    yield from _newest(
        "monitor",
        [
            f"{each.monitor} says it was online at {moment(each.at_s * 1000)}"
            + ("" if each.rtt_open_ms is None else f", opened in {number(each.rtt_open_ms)} ms")
            for each in health.claims
        ],
    )


def changed(change: DocumentChange, documents: Documents) -> list[str] | None:
    """The members in which a document differs from the one before; None where one of them is not kept."""
    if not {change.before, change.after} - {None} <= documents.keys():
        return None
    nothing = asdict(RelayInformation())
    before, after = (nothing if hash_ is None else asdict(documents[hash_]) for hash_ in (change.before, change.after))
    return [name for name in nothing if before[name] != after[name]]


def _facts(health: RelayHealth, documents: Documents, now_s: float) -> Iterator[tuple[str, str]]:
    since = "" if health.since_ms is None else f" since {moment(health.since_ms)}"
    yield "health", f"{health.state}{since}{_said(health)}"
    yield "probed", _probed(health)
    yield "uptime", _uptime(health, now_s)
    yield "times", _times(latencies_ms(health, now_s))
    if health.claims:
        online, hours = monitors_online(health, now_s), _QUORUM_HOURS
        yield "monitors", f"{online:,} of {len(health.claims):,} others found it online within {hours} h"
    yield "limits", _limits(health.advertised, health.learnt)
    yield "seen to", _seen(health)
    yield "answers", _answers(health)
    yield "same document", health.duplicate_of or ""
    information = documents.get(health.document or "")
    if information is not None:
        software = " ".join(filter(None, (information.software, information.version)))
        yield "name", printable(information.name or "")
        yield "software", printable(software)


def _said(health: RelayHealth) -> str:
    if health.verdict is None:
        return ""
    cause = "" if health.cause is None else f" ({health.cause})"
    detail = f": {printable(health.detail)}" if health.detail else ""
    return f", {_VERDICTS[health.verdict]}{cause}{detail}"


def _probed(health: RelayHealth) -> str:
    if health.probed_at_ms is None:
        return ""
    full = "" if health.full_at_ms is None else f", with all checks {moment(health.full_at_ms)}"
    failures = f", {failures_in_a_row(health.failures)}" if health.failures else ""
    return f"{moment(health.probed_at_ms)}{full}{failures}"


def _uptime(health: RelayHealth, now_s: float) -> str:
    """The shares, and how much of the longest period is known: of an hour that is, all of them may be of that hour."""
    shares = {days: share for days, share in uptimes(health, now_s).items() if share is not None}
    if not shares:
        return ""
    first = int(now_s // DAY_S) - PERIODS[-1] + 1
    known_s = sum(day.up_s + day.down_s for day in health.days if day.number >= first)
    told = ", ".join(f"{percent(share)} of {days} d" for days, share in shares.items())
    return f"{told}; {duration(known_s)} of these are known"


def _times(times: Mapping[str, Mapping[str, float | None]]) -> str:
    parts = []
    for check, shares in times.items():
        known = [f"{name} {number(took_ms)} ms" for name, took_ms in shares.items() if took_ms is not None]
        if known:
            parts.append(f"{check} {', '.join(known)}")
    return "; ".join(parts)


def _limits(advertised: Limits, learnt: Limits) -> str:
    parts = []
    for name in Limits.model_fields:
        says, does = getattr(advertised, name), getattr(learnt, name)
        if does is not None:
            beside = "says so, too" if says == does else "says nothing" if says is None else f"says {says:,}"
            parts.append(f"{name} {does:,} (was met; its document {beside})")
        elif says is not None:
            parts.append(f"{name} {says:,}")
    return ", ".join(parts)


def _seen(health: RelayHealth) -> str:
    seen = health.observed
    parts = [words for name, words in _OBSERVED.items() if getattr(seen, name)]
    if seen.largest_page:
        parts.append(f"gave {seen.largest_page:,} events at once")
    if seen.clock_difference_s is not None:
        parts.append(f"its clock differs by {seen.clock_difference_s:+.1f} s")
    return ", ".join(parts)


def _answers(health: RelayHealth) -> str:
    met = {name: value for name, value in health.honesty.model_dump().items() if value}
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in met.items())


def _outage(outage: Outage, now_s: float) -> str:
    until_s = now_s if outage.until_ms is None else outage.until_ms / 1000
    lasts = " so far" if outage.until_ms is None else ""
    cause = "" if outage.cause is None else f" ({outage.cause})"
    detail = f": {printable(outage.detail)}" if outage.detail else ""
    length = duration(max(0.0, until_s - outage.since_ms / 1000))
    return f"{moment(outage.since_ms)} for {length}{lasts}, {_VERDICTS[outage.verdict]}{cause}{detail}"


def _change(change: DocumentChange, documents: Documents) -> str:
    what = "first one" if change.before is None else "none any more" if change.after is None else "another one"
    members = changed(change, documents) if change.before is not None and change.after is not None else None
    differ = f": {', '.join(members)}" if members else ""
    return f"{moment(change.at_ms)} {what}{differ}"


def _newest(label: str, texts: list[str]) -> Iterator[str]:
    yield from (row(label, text) for text in texts[: -_SHOWN - 1 : -1])
    if len(texts) > _SHOWN:
        yield row(label, f"and {len(texts) - _SHOWN:,} older: --json")
