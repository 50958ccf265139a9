"""Records of events, sightings, rejections and documents: both directions, other writers, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.event import Event, encode_event
from schemas.reasons import Reason
from schemas.records import event_record, sighting
from schemas.records.coverage import Coverage, FilterCoverage, Gap, GapReason
from schemas.records.erasure import Erasure
from schemas.records.rejection import Rejection
from schemas.records.relay import RelayRecord
from tests.unit.schemas.strategies import events, hex32, signed, spellings, texts, texts_with_surrogates

RELAY = "wss://relay.example"
relays = st.one_of(st.none(), texts.filter(bool))
times = st.integers(0, 2**53 - 1)
fact_sets = st.dictionaries(st.sampled_from(["class", "address", "vanish"]), st.one_of(texts, st.booleans()))


@given(events(texts_with_surrogates), relays, times, fact_sets)
def test_event_records_come_back(event: Event, relay: str | None, time: int, found: dict[str, object]) -> None:
    raw = encode_event(event)
    record = event_record.decode(event_record.encode(raw, relay, time, found))
    assert record == (event, raw, relay, time, found)


@given(events(texts), relays, times, st.data())
def test_event_records_of_other_writers_are_read(
    event: Event, relay: str | None, time: int, data: st.DataObject
) -> None:
    members = [("event", event._asdict()), ("relay", relay), ("seen_at", time), ("facts", {"relay": 1}), ("more", {})]
    value = data.draw(spellings(dict(data.draw(st.permutations(members)))))
    record = event_record.decode(value)
    assert (record.event, record.relay, record.seen_at_ms) == (event, relay, time)
    assert record.raw in value


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"event": {"id": 1}}, "event: "),
        ({"event": None}, "event: "),
        ({"relay": 5}, "relay: "),
        ({"seen_at": "1"}, "seen_at: "),
        ({"seen_at": -1}, "seen_at: "),
        ({"facts": None}, "facts: "),
    ],
)
def test_event_records_that_are_wrong_name_the_member(change: dict[str, Any], error: str) -> None:
    good = {"event": signed()._asdict(), "relay": RELAY, "seen_at": 1, "facts": {}}
    with pytest.raises(ValueError, match=f"^{error}"):
        event_record.decode(json.dumps({**good, **change}, separators=(",", ":")).encode())


@given(st.binary())
def test_event_records_of_any_bytes_are_refused(value: bytes) -> None:
    for text in (value, b'{"event":' + value + b',"relay":null,"seen_at":1,"facts":{}}'):
        with pytest.raises(ValueError, match=r"."):
            event_record.decode(text)


groups = st.builds(
    sighting.Sighting,
    relay=texts.filter(bool),
    seen_at_ms=times,
    ids=st.lists(st.tuples(hex32, st.integers(0, 2**40 - 1)), max_size=5),
)


@given(st.lists(groups, max_size=4))
def test_sightings_come_back(records: list[sighting.Sighting]) -> None:
    assert sighting.decode(sighting.encode(records)) == records


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "line 2: is not JSON"),
        ("[]", "line 2: must be an object"),
        ('{"seen_at":1,"ids":[]}', "line 2: relay"),
        ('{"relay":null,"seen_at":1,"ids":[]}', "line 2: relay"),
        ('{"relay":"r","seen_at":-1,"ids":[]}', "line 2: seen_at"),
        ('{"relay":"r","seen_at":1,"ids":{}}', "line 2: ids"),
        (f'{{"relay":"r","seen_at":1,"ids":[["{"a" * 64}",1],["{"a" * 63}",1]]}}', r"line 2: ids\[1\]"),
        (f'{{"relay":"r","seen_at":1,"ids":[["{"a" * 64}",1.5]]}}', r"line 2: ids\[0\]"),
        (f'{{"relay":"r","seen_at":1,"ids":[["{"a" * 64}"]]}}', r"line 2: ids\[0\]"),
        (f'{{"relay":"r","seen_at":1,"ids":[["{"a" * 65}",1],["{"a" * 63}",1]]}}', r"line 2: ids\[0\]"),
        (f'{{"relay":"r","seen_at":1,"ids":[["{"a" * 64}",1],["{"A" * 64}",true]]}}', r"line 2: ids\[1\]"),
        (f'{{"relay":"r","seen_at":1,"ids":[["{"a" * 64}",1],["{"b" * 64}",true]]}}', r"line 2: ids\[1\]"),
        ('{"relay":"r","seen_at":1,"ids":[[],{}]}', r"line 2: ids\[0\]"),
    ],
)
def test_sightings_that_are_wrong_name_line_and_member(line: str, error: str) -> None:
    good = sighting.encode([sighting.Sighting(RELAY, 1, [])])
    with pytest.raises(ValueError, match=f"^{error}"):
        sighting.decode(good + line.encode())


@given(
    st.builds(
        Rejection,
        reason=st.sampled_from(Reason),
        stage=texts.filter(bool),
        relay=st.one_of(st.none(), texts),
        field=st.one_of(st.none(), texts),
        detail=st.one_of(st.none(), texts),
        source_partition=st.one_of(st.none(), st.integers(0)),
        source_offset=st.one_of(st.none(), st.integers(0)),
        seen_at_ms=st.one_of(st.none(), times),
    )
)
def test_rejections_come_back_from_headers(rejection: Rejection) -> None:
    headers = rejection.to_headers()
    assert Rejection.from_headers(headers) == rejection
    assert Rejection.from_headers([*headers, ("added later", b"\x00")]) == rejection
    assert all(type(value) is bytes for _, value in headers)


def test_rejections_need_a_known_reason_and_a_stage() -> None:
    for headers in ([], [("reason", b"too_large")], [("reason", b"other"), ("stage", b"sink")], [("reason", b"\xff")]):
        with pytest.raises(ValueError, match=r"."):
            Rejection.from_headers(headers)


def test_documents_come_back_and_ignore_what_newer_writers_add() -> None:
    record = RelayRecord.model_validate({"url": RELAY, "network": "clearnet", "source": "publish", "updated_at_ms": 1})
    assert RelayRecord.decode(record.encode()) == record
    assert RelayRecord.decode(record.encode()[:-1] + b',"added":{"later":1}}') == record
    coverage = Coverage(
        relay=RELAY,
        sets=[
            FilterCoverage(
                filter="f",
                wire={"kinds": [1]},
                identity="a" * 64,
                read=[(1, 5, 9)],
                gaps=[Gap(since=2, until=2, reason=GapReason.DENSE_SECOND, tries=3, retry_at_s=7)],
            )
        ],
        updated_at_ms=1,
    )
    assert Coverage.decode(coverage.encode()) == coverage


def test_coverage_of_the_version_before_is_read() -> None:
    old = {
        "version": 1,
        "relay": RELAY,
        "filter": "f+g",
        "cursor_s": 7,
        "read": [[1, 5, 9]],
        "gaps": [{"since": 6, "until": 6, "reason": "no_eose"}, {"since": 7, "until": 7, "reason": "its own words"}],
        "updated_at_ms": 1,
    }
    gaps = [Gap(since=6, until=6, reason=GapReason.NO_EOSE), Gap(since=7, until=7, reason=GapReason.UNSTATED)]
    assert Coverage.decode(json.dumps(old).encode()) == Coverage(
        relay=RELAY,
        cursor_s=7,
        sets=[FilterCoverage(filter=name, read=[(1, 5, 9)], gaps=gaps) for name in ("f", "g")],
        updated_at_ms=1,
    )


@pytest.mark.parametrize(
    ("model", "change", "member"),
    [
        (RelayRecord, {"network": "smoke"}, "network"),
        (RelayRecord, {"lane": "slow"}, "lane"),
        (RelayRecord, {"updated_at_ms": -1}, "updated_at_ms"),
        (Coverage, {"version": 3}, "version"),
        (Coverage, {"sets": [{"filter": "f", "read": [[5, 1, 9]]}]}, "read"),
        (Coverage, {"sets": [{"filter": "f", "read": [[1, 2.5, 9]]}]}, "read"),
        (Coverage, {"sets": [{"filter": "f", "gaps": [{"since": 5, "until": 1, "reason": "closed"}]}]}, "gaps"),
        (Coverage, {"sets": [{"filter": "f", "gaps": [{"since": 1, "until": 1, "reason": "moon"}]}]}, "reason"),
        (Erasure, {"pubkey": "b" * 64}, "cause"),
        (Erasure, {"address": "7:" + "b" * 64 + ":"}, "the target is"),
        (Erasure, {"until_s": 5}, "until_s"),
        (Erasure, {"id": "A" * 64}, "id"),
    ],
)
def test_documents_that_are_wrong_name_the_member(
    model: type[RelayRecord | Coverage | Erasure], change: dict[str, Any], member: str
) -> None:
    good: dict[type, dict[str, Any]] = {
        RelayRecord: {"url": RELAY, "network": "clearnet", "source": "publish", "updated_at_ms": 1},
        Coverage: {"relay": RELAY, "updated_at_ms": 1},
        Erasure: {"id": "a" * 64, "cause": "operator", "erased_at_ms": 1},
    }
    model.decode(json.dumps(good[model]).encode())
    with pytest.raises(ValueError, match=member):
        model.decode(json.dumps({**good[model], **change}).encode())
