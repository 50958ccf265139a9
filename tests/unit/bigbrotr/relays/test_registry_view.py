"""Records of the registry as lines, and the filters of the list."""

from __future__ import annotations

from typing import Any

import pytest

from bigbrotr.console.registry_options import Wanted
from bigbrotr.console.registry_view import document, line, moment, whole
from bigbrotr.status.registry import Registry, not_read
from schemas.records.relay import RelayRecord, Report, StateChange
from schemas.records.relay_command import RelayCommand
from tests.unit.bigbrotr.relays.records import record

ONION = f"ws://{'a' * 56}.onion"


@pytest.mark.parametrize(
    ("choice", "fields", "taken"),
    [
        ({}, {}, True),
        ({"states": {"silent"}}, {"state": "silent"}, True),
        ({"states": {"silent"}}, {"state": "confirmed"}, False),
        ({"lanes": {"priority", "ignored"}}, {"lane": "ignored"}, True),
        ({"lanes": {"priority"}}, {}, False),
        ({"networks": {"tor"}}, {"url": ONION}, True),
        ({"networks": {"tor"}}, {}, False),
        ({"sources": {"seed"}}, {"sources": ("event", "seed")}, True),
        ({"sources": {"api"}}, {"sources": ("event", "seed")}, False),
        ({"sources": {"operator"}}, {"source": "publish"}, True),
        ({"denied": True}, {"allowed": False}, True),
        ({"denied": True}, {}, False),
        ({"domain": "example.com"}, {}, True),
        ({"domain": "relay.example.com"}, {}, True),
        ({"domain": "ample.com"}, {}, False),
        ({"domain": "other.relay.example.com"}, {}, False),
        ({"text": "RELAY.ex"}, {}, True),
        ({"text": "//inbox"}, {"url": "wss://a.example/inbox", "spelling": "wss://a.example//inbox"}, True),
        ({"text": "nos"}, {}, False),
        ({"denied": True, "states": {"silent"}}, {"allowed": False, "state": "denied"}, False),
    ],
)
def test_each_filter_narrows(choice: dict[str, Any], fields: dict[str, Any], taken: bool) -> None:
    chosen: dict[str, Any] = {
        key: frozenset(value) if isinstance(value, set) else value for key, value in choice.items()
    }
    assert Wanted(**chosen).takes(record(**fields)) is taken


def test_health_narrows_to_what_probes_found() -> None:
    chosen = Wanted(health=frozenset({"offline", "refused"}))
    assert [chosen.takes(record(), state) for state in ("offline", "refused", "online", None)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (record(sources=("event", "seed")), "candidate  regular   clearnet  wss://relay.example.com  event,seed"),
        (record(source="publish"), "candidate  regular   clearnet  wss://relay.example.com  operator"),
        (
            record(
                sources=("event",),
                state="denied",
                allowed=False,
                command=RelayCommand(target="example.com", action="deny", reason="asked\x1b[2J us", at_ms=1),
            ),
            "denied     regular   clearnet  wss://relay.example.com  event  asked\\x1b[2J us",
        ),
        (
            record(sources=("event",), duplicate_of="wss://relay.example.com"),
            "candidate  regular   clearnet  wss://relay.example.com  event  duplicate of wss://relay.example.com",
        ),
        (
            record(
                sources=("api",), state="silent", report=Report(state="silent", tries=3, detail="no\nhost", at_ms=1)
            ),
            "silent     regular   clearnet  wss://relay.example.com  api  no\\nhost",
        ),
    ],
)
def test_a_line_says_who_named_a_relay_and_what_keeps_it_from_being_read(found: RelayRecord, expected: str) -> None:
    assert line(found) == expected


def test_all_that_is_known_of_a_relay_is_shown() -> None:
    found = record(
        spelling="wss://relay.example.com/",
        sources=("event", "operator"),
        state="silent",
        lane="priority",
        allow_private=True,
        authors=("0" * 16, "1" * 16),
        places=("10002 r",),
        first_seen_ms=1_700_000_000_000,
        admitted_at_ms=1_700_000_001_000,
        report=Report(state="silent", tries=1_200, detail="timed out", at_ms=1_700_000_002_000),
        history=(StateChange(state="confirmed", at_ms=1_000), StateChange(state="silent", at_ms=1_700_000_002_000)),
    )
    commands = {
        "operator example.com": RelayCommand(target="example.com", action="deny", reason="why", at_ms=1),
        f"operator {found.url}": RelayCommand(target=found.url, action="add", lane="priority", at_ms=2),
    }
    assert list(whole(found.url, "relays", found, commands)) == [
        "wss://relay.example.com",
        "  read          yes",
        "  state         silent",
        "  lane          priority",
        "  network       clearnet",
        "  dialled as    wss://relay.example.com/",
        "  named by      event, operator",
        "  authors       2",
        "  places        10002 r",
        "  first seen    2023-11-14 22:13:20 UTC",
        "  admitted      2023-11-14 22:13:21 UTC",
        "  address       may be private",
        "  connector     silent at 2023-11-14 22:13:22 UTC, 1,200 failures in a row: timed out",
        "  command       example.com denied by operator at 1970-01-01 00:00:00 UTC: why",
        "  command       added by operator at 1970-01-01 00:00:00 UTC, lane priority",
        "  was           silent from 2023-11-14 22:13:22 UTC",
        "  was           confirmed from 1970-01-01 00:00:01 UTC",
    ]


@pytest.mark.parametrize(
    ("topic", "fields", "why"),
    [
        ("relays.candidates", {}, "no: candidate"),
        ("relays", {"allowed": False, "duplicate_of": "wss://a.example"}, "no: denied"),
        ("relays", {"duplicate_of": "wss://a.example"}, "no: duplicate"),
        ("relays", {"lane": "ignored"}, "no: ignored"),
    ],
)
def test_a_relay_that_is_not_read_says_why(topic: str, fields: dict[str, Any], why: str) -> None:
    assert f"  read          {why}" in whole("x", topic, record(**fields), {})


def test_a_relay_of_which_only_a_command_is_known_is_not_decided() -> None:
    wanted = {"k": RelayCommand(target="wss://a.example", action="remove", at_ms=0)}
    assert list(whole("wss://a.example", None, None, wanted)) == [
        "wss://a.example",
        "  registry      has not decided yet",
        "  command       removed by operator at 1970-01-01 00:00:00 UTC",
    ]


def test_a_document_is_the_record_with_its_topic() -> None:
    told = document("relays", record(source="publish"))
    assert (told["topic"], told["url"], told["sources"]) == ("relays", "wss://relay.example.com", ["operator"])


def test_a_time_that_no_calendar_has_is_shown_as_it_stands() -> None:
    assert moment(10**18) == f"{10**18} ms"


def test_known_relays_that_are_not_read_are_counted_by_why() -> None:
    relays = [
        record("wss://read.example"),
        record("wss://waiting.example"),
        record("wss://denied.example", allowed=False),
        record("wss://twin.example", duplicate_of="wss://read.example"),
        record("wss://ignored.example", lane="ignored"),
    ]
    registry = Registry({each.url: each for each in relays}, {"wss://new.example": record("wss://new.example")})
    read = {"wss://read.example", "wss://elsewhere.example"}
    assert not_read(registry, read) == {"waiting": 1, "denied": 1, "duplicate": 1, "ignored": 1, "candidate": 1}
    assert not_read(Registry(), read) == {}
