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

FAR_S = 2**53
"""Seconds beyond this are stored as this: the end of `int8range` must not overflow, and integers up to here are exact
in every JSON library (RFC 8259 section 6). No event of the archive is dated there."""
_INT32_MAX = 2**31 - 1
_EVERYTHING = Filter().filter_hash()


def second(at_s: int | None) -> int | None:
    """A second as `bigint`."""
    return None if at_s is None else int(_near(at_s))


def gap_row(gap: Gap) -> tuple[int | None, int | None, str, int, int | None]:
    """A row of `coverage_gaps`, without its set."""
    tries = min(gap.tries, _INT32_MAX)
    return second(gap.since), second(gap.until), gap.reason.value, tries, second(gap.retry_at_s)


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
            "name": _text(fact.name, LONGEST_EVIDENCE),
            "value": _text(fact.value, MAX_URL_LENGTH) if isinstance(fact.value, str) else _near(fact.value),
            "evidence": _text(fact.evidence, LONGEST_EVIDENCE),
            "at_s": second(fact.at_s),
        }
        for fact in facts
        if isinstance(fact.value, str) or math.isfinite(fact.value)
    ]
    return orjson.dumps(rows[:MOST_FACTS]).decode()


def _near(value: float) -> float:
    return min(max(value, -FAR_S), FAR_S)


def _text(text: str, length: int) -> str:
    return text[:length].replace("\0", "\N{REPLACEMENT CHARACTER}")
