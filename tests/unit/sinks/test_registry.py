"""What a record of `relays` must be before it becomes a row, and what the row then holds."""

from __future__ import annotations

import json

import pytest

from schemas.records.relay import RelayRecord, Report, StateChange
from schemas.records.relay_command import RelayCommand
from schemas.relay_urls.relay_url import MAX_URL_LENGTH
from sinks.tables.topic_tables.registry import Entry, decode, smallest
from sinks.tables.topic_tables.registry_row import COLUMNS, registry_row

URL = "wss://a.example"
RECORD = RelayRecord(url=URL, network="clearnet", source="seed", sources=("seed",), updated_at_ms=7)
PUBLISHED = b'{"url":"wss://a.example","network":"clearnet","source":"publish","updated_at_ms":7}'
"""As it was written before there was a registry."""


def row(**members: object) -> dict[str, object]:
    return registry_row(RECORD.model_copy(update=members))


def test_a_record_is_of_its_key_and_a_tombstone_needs_nothing_else() -> None:
    assert decode(URL.encode(), RECORD.encode()) == Entry(URL, RECORD)
    assert decode(URL.encode(), None) == Entry(URL, None) == smallest(Entry(URL, RECORD))


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        (None, RECORD.encode(), "key"),
        (b"wss://b.example", RECORD.encode(), "url"),
        (b"\xff", RECORD.encode(), "decode"),
        (b"wss://a\0", None, "relay"),
        (b"wss://" + b"a" * MAX_URL_LENGTH, None, "relay"),
        (b"wss://a.example", b"{}", "url"),
        (b"wss://a.example", b"no json", "JSON"),
        (b"wss://a.example", PUBLISHED.replace(b"publish", b"\\ud800"), "JSON"),
    ],
)
def test_what_is_no_record_is_named(key: bytes | None, value: bytes | None, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        decode(key, value)


def test_a_row_has_every_member() -> None:
    command = RelayCommand(target="a.example", action="deny", reason="asked to be left alone", at_ms=3)
    report = Report(state="silent", tries=4, detail="no route", at_ms=5)
    history = (StateChange(state="candidate", at_ms=1), StateChange(state="denied", at_ms=3))
    found = row(
        spelling="WSS://A.example/",
        sources=("event", "api"),
        first_seen_ms=1,
        state="denied",
        lane="priority",
        allowed=False,
        allow_private=True,
        duplicate_of="wss://b.example",
        admitted_at_ms=2,
        authors=("0" * 16, "f" * 16),
        places=("10002 r",),
        command=command,
        report=report,
        history=history,
    )
    assert tuple(found) == COLUMNS
    assert found == {
        "url": URL,
        "spelling": "WSS://A.example/",
        "network": "clearnet",
        "state": "denied",
        "lane": "priority",
        "allowed": False,
        "allow_private": True,
        "duplicate_of": "wss://b.example",
        "sources": ["api", "event"],
        "first_seen_ms": 1,
        "admitted_at_ms": 2,
        "authors": 2,
        "places": ["10002 r"],
        "command_action": "deny",
        "command_target": "a.example",
        "command_reason": command.reason,
        "command_at_ms": 3,
        "report_state": "silent",
        "report_tries": 4,
        "report_detail": "no route",
        "report_at_ms": 5,
        "updated_at_ms": 7,
        "history": [{"state": "candidate", "at_ms": 1}, {"state": "denied", "at_ms": 3}],
    }


def test_a_record_that_was_published_is_the_operators_and_was_admitted() -> None:
    old = registry_row(RelayRecord.decode(PUBLISHED))
    assert (old["sources"], old["first_seen_ms"], old["admitted_at_ms"]) == (["operator"], None, 7)
    withdrawn = registry_row(RelayRecord.decode(PUBLISHED.replace(b"}", b',"allowed":false}')))
    assert (withdrawn["allowed"], withdrawn["admitted_at_ms"]) == (False, None)
    assert row(sources=("publish", "operator", "event"))["sources"] == ["event", "operator"]


def test_a_relay_that_is_known_to_the_registry_is_admitted_when_it_says_so() -> None:
    assert row()["admitted_at_ms"] is None


def test_what_postgresql_does_not_hold_is_bounded() -> None:
    long = "é\0" * MAX_URL_LENGTH
    found = row(
        spelling=long,
        duplicate_of=long,
        places=(long,),
        first_seen_ms=2**70,
        admitted_at_ms=2**70,
        updated_at_ms=2**70,
        command=RelayCommand(target=long, action="add", reason="\0", at_ms=2**70),
        report=Report(state="refused", tries=2**40, detail="a\0", at_ms=2**70),
        history=(StateChange(state="refused", at_ms=2**70),),
    )
    assert r"\u0000" not in json.dumps(found)
    assert {len(str(found[name])) for name in ("spelling", "duplicate_of", "command_target")} == {MAX_URL_LENGTH}
    numbers = [value for name, value in found.items() if name.endswith("_ms")]
    assert [*numbers, found["report_tries"]] == [2**53] * 5 + [2**31 - 1]
    assert found["history"] == [{"state": "refused", "at_ms": 2**53}]
