"""Makes the rows of a record of `relays.health`: within PostgreSQL's types, bounded, without U+0000."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple

from schemas.latency_buckets import LAST_BUCKET, Counts
from schemas.records.document import Document
from schemas.records.relay_health import RelayHealth, Tally
from schemas.relay_urls.relay_url import MAX_URL_LENGTH
from sinks.tables.topic_tables.bounded import count, jsonb, text, whole

COLUMNS = (
    *("url", "network", "state", "since_ms", "verdict", "cause", "detail", "failures"),
    *("probed_at_ms", "full_at_ms", "online_at_ms", "document", "duplicate_of"),
    *("checks", "observed", "advertised", "learnt", "honesty", "hours", "claims", "judged_at_ms"),
)
DAY_COLUMNS = ("day", "up_s", "down_s", "probes", "failures", "open_counts", "read_counts")
OUTAGE_COLUMNS = ("since_ms", "until_ms", "verdict", "cause", "detail", "probes")
CHANGE_COLUMNS = ("at_ms", "before", "after")
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH
_LAST_HOUR = int(datetime.max.replace(tzinfo=UTC).timestamp()) // 3600
_LONGEST_WORDS = 1000
"""Characters of what has no bound in the schema; a hash, which is all that stands there, has 64."""

Row = dict[str, object]


class Rows(NamedTuple):
    """Of `relay_health`, `relay_days`, `relay_outages` and `relay_document_changes`, as members of JSON."""

    health: Row
    days: list[Row]
    outages: list[Row]
    changes: list[Row]


def rows(health: RelayHealth) -> Rows:
    """Give the rows of a record; of what it says twice of one time the last counts."""
    return Rows(_health(health), _days(health), _outages(health), _changes(health))


def _health(health: RelayHealth) -> Row:
    return {
        "url": health.url,
        "network": health.network.value,
        "state": health.state,
        "since_ms": whole(health.since_ms),
        "verdict": health.verdict,
        "cause": health.cause,
        "detail": _text(health.detail),
        "failures": count(health.failures),
        "probed_at_ms": whole(health.probed_at_ms),
        "full_at_ms": whole(health.full_at_ms),
        "online_at_ms": whole(health.online_at_ms),
        "document": _text(health.document),
        "duplicate_of": None if health.duplicate_of is None else text(health.duplicate_of, MAX_URL_LENGTH),
        "checks": _known(health.checks),
        "observed": _known(health.observed),
        "advertised": _known(health.advertised),
        "learnt": _known(health.learnt),
        "honesty": _known(health.honesty),
        "hours": [{"hour": min(max(each.number, 0), _LAST_HOUR), **_tally(each)} for each in health.hours],
        "claims": [_known(each) for each in health.claims],
        "judged_at_ms": whole(health.judged_at_ms),
    }


def _days(health: RelayHealth) -> list[Row]:
    found: dict[str, Row] = {}
    for each in health.days:
        found[_day(each.number)] = {**_tally(each), "open_counts": [], "read_counts": []}
    for times in health.latencies:
        nothing: Row = _tally(Tally(times.day, 0, 0, 0, 0))
        of_day = found.setdefault(_day(times.day), nothing)
        of_day |= {"open_counts": _counts(times.open), "read_counts": _counts(times.read)}
    return [{"day": day, **of_day} for day, of_day in found.items()]


def _outages(health: RelayHealth) -> list[Row]:
    found = {
        whole(each.since_ms): {
            "until_ms": whole(each.until_ms),
            "verdict": each.verdict,
            "cause": each.cause,
            "detail": _text(each.detail),
            "probes": count(each.probes),
        }
        for each in health.outages
    }
    return [{"since_ms": since_ms, **outage} for since_ms, outage in found.items()]


def _changes(health: RelayHealth) -> list[Row]:
    found = {whole(each.at_ms): {"before": _text(each.before), "after": _text(each.after)} for each in health.changes}
    return [{"at_ms": at_ms, **change} for at_ms, change in found.items()]


def _tally(tally: Tally) -> Row:
    return {
        "up_s": count(tally.up_s),
        "down_s": count(tally.down_s),
        "probes": count(tally.probes),
        "failures": count(tally.failures),
    }


def _day(number: int) -> str:
    return date.fromordinal(_EPOCH + min(max(number, 0), _LAST_DAY)).isoformat()


def _counts(counts: Counts) -> list[int]:
    """How many are in each bucket, up to the last that is not empty."""
    known = {min(max(bucket, 0), LAST_BUCKET): count(amount) for bucket, amount in counts}
    return [known.get(bucket, 0) for bucket in range(max(known, default=-1) + 1)]


def _known(document: Document) -> object:
    return jsonb(document.model_dump(mode="json", exclude_none=True))


def _text(value: str | None) -> str | None:
    return None if value is None else text(value, _LONGEST_WORDS)
