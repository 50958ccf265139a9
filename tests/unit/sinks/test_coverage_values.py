"""Facts as PostgreSQL takes them, whatever the topic holds."""

from __future__ import annotations

import json

import pytest

from schemas.records.coverage import LONGEST_EVIDENCE, MOST_FACTS, Fact, FilterCoverage
from schemas.relay_urls.relay_url import MAX_URL_LENGTH
from sinks.tables.topic_tables.coverage_values import facts_json, wire_json


def stored(*facts: Fact) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(facts_json(facts))
    return found


def test_facts_are_stored_as_they_are() -> None:
    facts = [
        Fact(name="auth", value="closed", evidence="auth-required: é", at_s=7),
        Fact(name="late_s", value=2.5, evidence="twice", at_s=8),
    ]
    assert stored(*facts) == [fact.model_dump() for fact in facts]


def test_what_the_connector_would_not_write_is_cut() -> None:
    long = "a\0" * 2000
    (cut,) = stored(Fact(name=long, value=long, evidence=long, at_s=2**70))
    assert cut["evidence"] == "a\N{REPLACEMENT CHARACTER}" * (LONGEST_EVIDENCE // 2) == cut["name"]
    assert (len(str(cut["value"])), cut["at_s"]) == (MAX_URL_LENGTH, 2**53)
    many = [Fact(name=f"n{number}", value=number, evidence="", at_s=0) for number in range(100)]
    assert [fact["value"] for fact in stored(*many)] == list(range(MOST_FACTS))


def test_numbers_that_are_none_in_json_are_left_out_and_huge_ones_are_bounded() -> None:
    values = (float("nan"), float("inf"), float("-inf"), 10**30, -1e300, 0.5)
    facts = [Fact(name="n", value=value, evidence="", at_s=0) for value in values]
    assert [fact["value"] for fact in stored(*facts)] == [2**53, -(2**53), 0.5]


def test_a_filter_is_stored_as_it_was_sent() -> None:
    assert wire_json(FilterCoverage(filter="f", wire={"kinds": [1], "since": 2**64 - 1})) == (
        '{"kinds":[1],"since":18446744073709551615}'
    )


@pytest.mark.parametrize("value", ["a\0", 2**64, "\ud800"], ids=["U+0000", "above 64 bits", "half a character"])
def test_a_filter_that_postgresql_or_json_cannot_hold_is_not_known(value: object) -> None:
    assert wire_json(FilterCoverage(filter="f", wire={"#t": [value]})) is None
