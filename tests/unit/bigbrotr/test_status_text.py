"""`bigbrotr status` as people read it, and the services of a stack that it asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bigbrotr.commands.run.status import as_text
from bigbrotr.console.snapshot_view import plain_line
from bigbrotr.status.probing import probing
from bigbrotr.status.served import served_at, serving_note
from bigbrotr.status.snapshot import Counts, Refused, ServiceState, Snapshot, TopicSize, rates
from bigbrotr.status.stack import stack_services
from core.settings import Settings


def test_refused_input_is_told_by_reason_and_topics_in_records_and_bytes() -> None:
    snapshot = Snapshot(
        at_s=0.0,
        services=(ServiceState("sink", "running", host="sink", port=8080), ServiceState("connector", "running", pid=7)),
        counts=Counts(archived=5_990, sightings=12_000, rejected={"not_json": 777}),
        not_read={"candidate": 1_200, "denied": 3},
        topics={"events": TopicSize(6_000, 6_000, 3 * 1024), "rejections": TopicSize(5, 8), "relays": TopicSize(0, 0)},
        refused={
            "rejections": Refused(5, {"not_json": 1, "bad_signature": 4}),
            "quarantine": Refused(0),
            "unwritten": Refused(1_000_000),
        },
    )
    lines = as_text(snapshot, Path("/data")).splitlines()
    assert {
        "archived        5,990 events, 12,000 pairs of event and relay",
        "not read        candidate 1,200, denied 3 of the known relays",
        "rejections      5 records: bad_signature 4, not_json 1",
        "quarantine      nothing",
        "unwritten       1,000,000 records: `bigbrotr rejections list` counts them by reason",
        "topic           events: 6,000 records, 3 KiB",
        "topic           rejections: 5 records of 8 written",
        "topic           relays: 0 records",
        "sink            at sink:8080, ready",
        "connector       pid 7, ready",
    } <= set(lines)
    assert "777" not in "\n".join(lines), "what a service counts since it started does not agree with the topics"


def test_an_estimate_of_what_is_archived_is_called_so() -> None:
    snapshot = Snapshot(at_s=0.0, counts=Counts(archived=5_990, archived_exact=False))
    assert "archived        about 5,990 events, - pairs" in as_text(snapshot, Path("/data"))


def test_probers_are_told_of_together_and_where_there_is_none_nothing_is() -> None:
    told: list[dict[str, Any]] = [
        {"relays": []},
        {"probes": {"verdicts": {"works": 1_000, "unknown": 5}, "under_way": 3, "due": 0, "late_s": 0.0}},
        {"probes": {"verdicts": {"works": 1, "broken": 7}, "under_way": 1, "due": 2, "late_s": 61.0}},
    ]
    now = Snapshot(at_s=0.0, probing=probing(told))
    words = "works 1,001, broken 7, unknown 5; 4 under way, 2 due for up to 0:01:01"
    assert f"probes          {words}" in as_text(now, Path("/data")).splitlines()
    assert f"probes: {words}" in plain_line(now, rates(None, now), 1.0)
    assert now.as_json()["probing"] == {
        "verdicts": {"works": 1_001, "broken": 7, "unknown": 5},
        "under_way": 4,
        "due": 2,
        "late_s": 61.0,
    }
    without = Snapshot(at_s=0.0, probing=probing(told[:1]))
    assert without.probing is None
    assert "probes" not in as_text(without, Path("/data")) + plain_line(without, rates(None, without), 1.0)


def test_where_the_archive_is_served_is_told_as_it_is_reached() -> None:
    here, there = ServiceState("api", "running", pid=7, port=1), ServiceState("api", "running", host="api", port=8080)
    sixth = ServiceState("api 2001:db8::7", "running", host="2001:db8::7", port=8080)
    told = {"url": "http://127.0.0.1:8000", "public_url": None}
    assert served_at(here, told) == "http://127.0.0.1:8000"
    assert served_at(there, told) == "http://api:8000"
    assert served_at(sixth, told) == "http://[2001:db8::7]:8000"
    public = told | {"public_url": "https://archive.example.com"}
    assert served_at(here, public) == served_at(there, public) == "https://archive.example.com"
    assert served_at(there, {"relays": []}) is None
    assert serving_note(here, told) == "serves http://127.0.0.1:8000"
    assert (
        serving_note(here, told | {"live_trouble": "Kafka is away"})
        == "serves http://127.0.0.1:8000; live: Kafka is away"
    )
    assert serving_note(here, {}) == ""

    now = Snapshot(at_s=0.0, services=(replace(here, note="serves http://127.0.0.1:8000"),))
    assert "api             pid 7, ready, serves http://127.0.0.1:8000" in as_text(now, Path("/data")).splitlines()
    assert now.as_json()["api"] == {"url": None}
    assert replace(now, api_url="http://api:8000").as_json()["api"] == {"url": "http://api:8000"}
    assert "api_url" not in now.as_json()


async def test_the_services_of_a_stack_are_named_by_their_addresses() -> None:
    settings = Settings(http={"services": "127.0.0.1:8080, nothing.invalid:8081"})
    found = await stack_services(settings)
    assert [(one.name, one.host, one.port) for one in found] == [
        ("127.0.0.1", "127.0.0.1", 8080),
        ("nothing.invalid", "nothing.invalid", 8081),
    ]


@pytest.mark.parametrize("value", ["sink", "sink:", ":8080", "sink:http", "sink:0", "sink:65536", "a b:1"])
def test_an_address_of_a_service_has_a_host_and_a_port(value: str) -> None:
    with pytest.raises(ValueError, match="has no service at place 1; give host:port"):
        Settings(http={"services": value})
