"""The health of a relay as lines, and as JSON."""

from __future__ import annotations

import json

from bigbrotr.console.health_view import changed, health_document, health_lines, latencies_ms, uptimes
from schemas.nostr.relay_document import parse_document
from schemas.records.probe import Observed
from schemas.records.relay_health import (
    Claim,
    DocumentChange,
    Honesty,
    Latency,
    Limits,
    Outage,
    RelayHealth,
    Tally,
)
from schemas.relay_urls.relay_url import Network

NOW_S = 1_700_000_000.5
DAY, HOUR = int(NOW_S // 86_400), int(NOW_S // 3600)
OLD, NEW = "1" * 64, "2" * 64
DOCUMENTS = {
    OLD: parse_document('{"name":"A relay","version":"1"}'),
    NEW: parse_document('{"name":"A\\u202e relay","version":"2","software":"strfry"}'),
}
HEALTH = RelayHealth(
    url="wss://relay.example.com", network=Network.CLEARNET, state="unknown", judged_at_ms=1_700_000_000_000
)
FULL = HEALTH.model_copy(
    update={
        "state": "offline",
        "since_ms": 1_699_999_000_000,
        "verdict": "broken",
        "cause": "connect",
        "detail": "connection\nrefused",
        "failures": 2,
        "probed_at_ms": 1_699_999_600_000,
        "full_at_ms": 1_699_990_000_000,
        "observed": Observed(counts=True, hints=False, largest_page=1500, clock_difference_s=-1.25),
        "document": NEW,
        "changes": (
            DocumentChange(at_ms=1_000, before=None, after=OLD),
            DocumentChange(at_ms=2_000, before=OLD, after=NEW),
            DocumentChange(at_ms=3_000, before=NEW, after="3" * 64),
        ),
        "advertised": Limits(max_limit=500, max_subscriptions=20),
        "learnt": Limits(max_limit=250, max_message_length=65_536),
        "honesty": Honesty(copies=1_100, repeated=100),
        "hours": (Tally(HOUR - 25, 0, 3600, 1, 1), Tally(HOUR - 24, 3600, 0, 1, 0), Tally(HOUR, 0, 400, 1, 1)),
        "days": (
            Tally(DAY - 30, 86_400, 0, 24, 0),
            Tally(DAY - 29, 0, 86_400, 24, 24),
            Tally(DAY - 6, 1000, 0, 1, 0),
            Tally(DAY, 500, 500, 1, 1),
        ),
        "latencies": (Latency(DAY - 7, ((30, 9),), ()), Latency(DAY, ((9, 20), (10, 2)), ())),
        "outages": (
            Outage(since_ms=1_699_000_000_000, until_ms=1_699_003_600_000, verdict="not_nostr"),
            Outage(since_ms=1_699_999_000_000, verdict="broken", cause="connect", detail="no\x1b"),
        ),
        "claims": (
            Claim(monitor="cd" * 32, at_s=1_699_900_000),
            Claim(monitor="ab" * 32, at_s=1_699_999_900, rtt_open_ms=1_210),
        ),
    }
)


def test_uptime_is_of_complete_days_and_hours_and_those_that_run() -> None:
    assert uptimes(FULL, NOW_S) == {
        1: 3600 / 4000,
        7: 1500 / 2000,
        30: 1500 / 88_400,
        90: 87_900 / 174_800,
    }
    assert uptimes(HEALTH, NOW_S) == dict.fromkeys((1, 7, 30, 90))


def test_one_failure_is_not_called_failures() -> None:
    once = HEALTH.model_copy(update={"probed_at_ms": 1_699_999_600_000, "failures": 1})
    assert "  probed        2023-11-14 22:06:40 UTC, 1 failure in a row" in list(health_lines(once, {}, NOW_S))


def test_times_are_of_the_last_week() -> None:
    times = latencies_ms(FULL, NOW_S)
    assert {name: round(took or 0) for name, took in times["open"].items()} == {"p50": 27, "p90": 27, "p99": 38}
    assert times["read"] == dict.fromkeys(("p50", "p90", "p99"))


def test_all_that_is_known_of_the_health_of_a_relay_is_shown() -> None:
    assert list(health_lines(FULL, DOCUMENTS, NOW_S)) == [
        "  health        offline since 2023-11-14 21:56:40 UTC, is broken (connect): connection\\nrefused",
        "  probed        2023-11-14 22:06:40 UTC, with all checks 2023-11-14 19:26:40 UTC, 2 failures in a row",
        "  uptime        90.0 % of 1 d, 75.0 % of 7 d, 1.7 % of 30 d, 50.3 % of 90 d; 2 d 00:33:20 of these are known",
        "  times         open p50 27 ms, p90 27 ms, p99 38 ms",
        "  monitors      1 of 2 others found it online within 24 h",
        (
            "  limits        max_limit 250 (was met; its document says 500), max_subscriptions 20, "
            "max_message_length 65,536 (was met; its document says nothing)"
        ),
        "  seen to       answers COUNT, gave 1,500 events at once, its clock differs by -1.2 s",
        "  answers       1,100 copies, 100 repeated",
        "  name          A\\u202e relay",
        "  software      strfry 2",
        "  outage        2023-11-14 21:56:40 UTC for 0:16:40 so far, is broken (connect): no\\x1b",
        "  outage        2023-11-03 08:26:40 UTC for 1:00:00, speaks something else",
        "  document      1970-01-01 00:00:03 UTC another one",
        "  document      1970-01-01 00:00:02 UTC another one: name, software, version",
        "  document      1970-01-01 00:00:01 UTC first one",
        f"  monitor       {'ab' * 32} says it was online at 2023-11-14 22:11:40 UTC, opened in 1,210 ms",
        f"  monitor       {'cd' * 32} says it was online at 2023-11-13 18:26:40 UTC",
    ]
    assert list(health_lines(HEALTH, {}, NOW_S)) == ["  health        unknown"]


def test_of_many_outages_the_newest_are_shown() -> None:
    many = HEALTH.model_copy(
        update={"outages": tuple(Outage(since_ms=at, until_ms=at, verdict="broken") for at in range(12))}
    )
    lines = [each for each in health_lines(many, {}, NOW_S) if "outage" in each]
    assert (len(lines), lines[-1]) == (11, "  outage        and 2 older: --json")


def test_json_has_the_record_and_what_follows_from_it() -> None:
    found = json.loads(json.dumps(health_document(FULL, DOCUMENTS, NOW_S)))
    assert found["uptime"]["7"] == 0.75
    assert found["latencies_ms"]["read"]["p50"] is None
    assert found["monitors_online"] == 1
    assert [each["members"] for each in found["changes"]] == [
        ["name", "version"],
        ["name", "software", "version"],
        None,
    ]
    assert RelayHealth.decode(json.dumps(found | {"changes": []}).encode()).outages == FULL.outages


def test_a_document_that_is_gone_differs_in_what_it_said() -> None:
    gone = DocumentChange(at_ms=1, before=OLD, after=None)
    assert changed(gone, DOCUMENTS) == ["name", "version"]
    assert changed(gone, {}) is None
