"""Converts members of a record of `coverage` for PostgreSQL: within its types, bounded, and without U+0000.

The connector keeps to smaller bounds, but a topic holds what anything wrote into it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import orjson

from schemas.nostr.filters import Filter
from schemas.records.coverage import LONGEST_EVIDENCE, MOST_FACTS, Fact, FilterCoverage, Gap
from schemas.relay_urls.relay_url import MAX_URL_LENGTH
from sinks.tables.topic_tables.bounded import INT32_MAX, near, text, whole

_EVERYTHING = Filter().filter_hash()


def gap_row(gap: Gap) -> tuple[int | None, int | None, str, int, int | None]:
    """A row of `coverage_gaps`, without its set."""
    tries = min(gap.tries, INT32_MAX)
    return whole(gap.since), whole(gap.until), gap.reason.value, tries, whole(gap.retry_at_s)


def wire_json(covered: FilterCoverage) -> str | None:
    """The filter as JSON that PostgreSQL takes, which U+0000 is not; None where it is not known or not writable."""
    if not covered.wire and covered.filter != _EVERYTHING:
        return None
    try:
        text = orjson.dumps(covered.wire).decode()
    except orjson.JSONEncodeError:  # integers beyond 64 bits, or too deep
        return None
    return None if r"\u0000" in text else text


def facts_json(facts: Iterable[Fact]) -> str:
    """The facts as a JSON array: the first that fit, without those whose value is no number of JSON."""
    rows = [
        {
            "name": text(fact.name, LONGEST_EVIDENCE),
            "value": text(fact.value, MAX_URL_LENGTH) if isinstance(fact.value, str) else near(fact.value),
            "evidence": text(fact.evidence, LONGEST_EVIDENCE),
            "at_s": whole(fact.at_s),
        }
        for fact in facts
        if isinstance(fact.value, str) or math.isfinite(fact.value)
    ]
    return orjson.dumps(rows[:MOST_FACTS]).decode()
