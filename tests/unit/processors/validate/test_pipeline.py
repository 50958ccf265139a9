"""What a copy is judged to be depends on its bytes alone; what is published depends on what is known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.validate.erasing import Erasing
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Outcome, Source
from processors.validate.pipeline import conclude_bundle, examine_bundle
from schemas.nostr.event import encode_event
from schemas.nostr.judge import Policy, judge
from schemas.nostr.signature import verify_many
from schemas.partition import event_partition
from schemas.reasons import Reason, Verdict
from schemas.records.bundle import HeldLine, encode_held_line, encode_line
from schemas.records.event_record import decode
from tests.unit.processors.material import (
    event,
    forged_content,
    forged_signature,
    other_bytes,
    other_signature,
    wire,
)

POLICY = Policy(max_event_bytes=2_000)
SOURCE = Source("raw.bundles", 0, 7)
SEEN_AT_MS = 1_700_000_000_000
FIRST, SECOND = event("first"), event("second", kind=30023, tags=[["d", "x"]])
STRANGE = event("strange", created_at=2**41)
INPUTS = [
    *(wire(made) for made in (FIRST, SECOND, STRANGE)),
    *(other_bytes(made) for made in (FIRST, SECOND, STRANGE)),
    *(wire(other_signature(made)) for made in (FIRST, STRANGE)),
    *(wire(forged_signature(made)) for made in (FIRST, SECOND, STRANGE)),
    other_bytes(forged_signature(FIRST)),
    wire(forged_content(FIRST)),
    wire(event("auth", kind=22242)),
    wire(event("fleeting", kind=20001)),
    wire(event("x" * 2_000)),
    b"{}",
    b'{"id":1}',
]
HELD_FIRST = encode_held_line(HeldLine("wss://c.example", SEEN_AT_MS, FIRST.id, FIRST.created_at))
VERDICTS = {raw: judge(raw, POLICY) for raw in INPUTS}


def run(
    seen: SeenSet,
    lines: list[bytes],
    *,
    partitions: int = 1,
    source: Source = SOURCE,
    erasing: Erasing | None = None,
) -> Outcome:
    """Judge one bundle as a lane does, up to its acknowledgement."""
    found = examine_bundle(b"".join(lines), seen, POLICY, erasing or Erasing())
    outcome = conclude_bundle(found, verify_many(found.signatures), seen, source, partitions)
    seen.hold(outcome.learned)
    return outcome


def line(raw: bytes, relay: str | None = "wss://a.example", seen_at_ms: int = SEEN_AT_MS) -> bytes:
    return encode_line(relay, seen_at_ms, raw)


def events(outcome: Outcome) -> list[str]:
    return [new.key.hex() for records in outcome.by_partition.values() for new in records.events]


def sighted(outcome: Outcome) -> set[tuple[str, str]]:
    return {
        (event_id, relay)
        for records in outcome.by_partition.values()
        for (relay, _), ids in records.sightings.items()
        for event_id, _ in ids
    }


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from(INPUTS), min_size=1, max_size=8), max_size=8),
    st.lists(st.sampled_from(["acknowledge", "leave", "revoke"]), min_size=8, max_size=8),
)
def test_a_verdict_does_not_depend_on_what_came_before(bundles: list[list[bytes]], after: list[str]) -> None:
    seen = SeenSet(3)  # so small that much is forgotten again
    published: set[str] = set()
    waiting: list[Outcome] = []
    for place, (bundle, then) in enumerate(zip(bundles, after, strict=False)):
        outcome = run(seen, [line(raw, f"wss://{place}.{at}.example") for at, raw in enumerate(bundle)])
        published |= set(events(outcome))
        refused = {item.relay: item.reason for item in outcome.refused}
        for at, raw in enumerate(bundle):
            relay, expected = f"wss://{place}.{at}.example", VERDICTS[raw]
            assert refused.get(relay) == (expected.reason if expected.verdict is Verdict.REFUSED else None)
            assert (relay in {seen_by for _, seen_by in sighted(outcome)}) == (expected.verdict is Verdict.ACCEPTED)
            if expected.verdict is Verdict.ACCEPTED:
                assert expected.event is not None
                assert expected.event.id in published
        waiting.append(outcome)
        if then == "acknowledge":
            for done in waiting:
                seen.learn(done.learned)
            waiting = []
        elif then == "revoke":
            seen.forget_in_flight()
            waiting = []


@pytest.mark.parametrize("forgery", [wire(forged_signature(FIRST)), wire(forged_content(FIRST))])
def test_a_forged_copy_first_does_not_keep_the_genuine_one_out(forgery: bytes) -> None:
    seen = SeenSet(10)
    bad = run(seen, [line(forgery)])
    assert (events(bad), bad.learned.keys, len(bad.refused)) == ([], [], 1)
    assert events(run(seen, [line(forgery), line(wire(FIRST))])) == [FIRST.id]


def test_a_copy_of_an_event_in_flight_is_a_sighting_only() -> None:
    seen = SeenSet(10)
    run(seen, [line(wire(FIRST), "wss://a.example")])
    found = examine_bundle(line(wire(FIRST), "wss://b.example"), seen, POLICY, Erasing())
    assert found.signatures == []
    again = run(seen, [line(wire(FIRST), "wss://b.example")])
    assert (events(again), sighted(again), again.duplicates) == ([], {(FIRST.id, "wss://b.example")}, 1)


def test_other_bytes_of_a_known_signature_are_not_verified_and_another_signature_is() -> None:
    seen = SeenSet(10)
    seen.learn(run(seen, [line(wire(FIRST))]).learned)
    assert examine_bundle(line(other_bytes(FIRST)), seen, POLICY, Erasing()).signatures == []
    assert len(examine_bundle(line(wire(other_signature(FIRST))), seen, POLICY, Erasing()).signatures) == 1
    for raw in (other_bytes(FIRST), wire(other_signature(FIRST))):
        outcome = run(seen, [line(raw, "wss://b.example")])
        assert (events(outcome), sighted(outcome)) == ([], {(FIRST.id, "wss://b.example")})


def test_copies_in_one_bundle_are_verified_once_and_all_sighted() -> None:
    seen = SeenSet(10)
    lines = [line(wire(FIRST), f"wss://{at}.example") for at in range(3)] + [
        line(other_bytes(FIRST), "wss://3.example")
    ]
    assert len(examine_bundle(b"".join(lines), seen, POLICY, Erasing()).signatures) == 1
    outcome = run(seen, lines)
    assert events(outcome) == [FIRST.id]
    assert sighted(outcome) == {(FIRST.id, f"wss://{at}.example") for at in range(4)}
    assert (outcome.lines, outcome.checked) == (4, 1)


def test_a_new_event_is_published_with_the_copy_that_was_taken() -> None:
    outcome = run(SeenSet(10), [line(wire(FIRST), "wss://a.example", 5), line(wire(FIRST), "wss://b.example", 6)])
    record = decode(outcome.records(0).events[0].value)
    assert (record.raw, record.relay, record.seen_at_ms) == (wire(FIRST), "wss://a.example", 5)
    assert record.facts["class"] == "regular"


def test_a_copy_without_a_relay_has_no_sighting() -> None:
    outcome = run(SeenSet(10), [line(wire(FIRST), None)])
    assert (events(outcome), sighted(outcome)) == ([FIRST.id], set())


def test_a_quarantined_event_is_kept_once_and_never_sighted() -> None:
    seen = SeenSet(10)
    first, again = run(seen, [line(wire(STRANGE))]), run(seen, [line(wire(STRANGE)), line(other_bytes(STRANGE))])
    assert [item.reason for item in first.quarantined] == [Reason.CREATED_AT_OUT_OF_RANGE]
    assert (again.quarantined, sighted(first) | sighted(again)) == ([], set())


def test_an_event_in_the_wrong_partition_goes_to_its_own_and_teaches_nothing() -> None:
    partitions = 4
    home = event_partition(FIRST.id, partitions)
    seen = SeenSet(10)
    outcome = run(seen, [line(wire(FIRST))], partitions=partitions, source=Source("raw.bundles", (home + 1) % 4, 0))
    assert [new.key.hex() for new in outcome.records(home).events] == [FIRST.id]
    assert (outcome.learned.keys, outcome.learned.pairs) == ([], {})


@given(st.binary())
def test_no_bundle_raises(value: bytes) -> None:
    seen = SeenSet(10)
    found = examine_bundle(value, seen, POLICY, Erasing())
    outcome = conclude_bundle(found, verify_many(found.signatures), seen, SOURCE, 1)
    assert outcome.lines == len([part for part in value.split(b"\n") if part])
    assert len(outcome.refused) == outcome.lines


def test_a_line_that_is_not_ours_is_refused_as_it_came_and_the_others_are_judged() -> None:
    bad = b'{"relay":1,"seen_at":2,"event":{}}'
    nameless = b'{"relay":"wss://a.example","seen_at":3,"id":"x","created_at":1}'
    outcome = run(SeenSet(10), [bad + b"\n", line(wire(FIRST)), nameless + b"\n"])
    assert [item.reason for item in outcome.refused] == [Reason.BAD_BUNDLE] * 2
    assert [item.raw for item in outcome.refused] == [bad, nameless]
    assert events(outcome) == [FIRST.id]


def test_what_a_relay_is_shown_to_hold_is_a_sighting_where_its_id_belongs_and_nothing_else() -> None:
    partitions = 4
    made = [event(f"held {number}") for number in range(20)]
    held = [HeldLine("wss://a.example", SEEN_AT_MS, each.id, each.created_at) for each in made]
    seen = SeenSet(100)
    outcome = run(seen, [encode_held_line(each) for each in held], partitions=partitions)
    assert {
        (event_id, created_at, partition)
        for partition, records in outcome.by_partition.items()
        for key, ids in records.sightings.items()
        for event_id, created_at in ids
        if key == ("wss://a.example", SEEN_AT_MS)
    } == {(each.id, each.created_at, event_partition(each.id, partitions)) for each in made}
    assert (outcome.lines, outcome.refused, outcome.learned.keys, events(outcome)) == (20, [], [], [])
    # It was not verified here: the event itself is checked when it comes.
    assert run(seen, [line(wire(made[0]))]).checked == 1


@given(st.permutations([line(wire(FIRST)), line(wire(SECOND), "wss://b.example"), HELD_FIRST, HELD_FIRST]))
def test_what_a_relay_holds_may_come_before_or_after_the_event(lines: list[bytes]) -> None:
    seen = SeenSet(10)
    outcomes = [run(seen, [each]) for each in lines]
    assert set().union(*(sighted(outcome) for outcome in outcomes)) == {
        (FIRST.id, "wss://a.example"),
        (FIRST.id, "wss://c.example"),
        (SECOND.id, "wss://b.example"),
    }
    assert sorted(event_id for outcome in outcomes for event_id in events(outcome)) == sorted([FIRST.id, SECOND.id])


def test_an_event_is_published_as_it_was_signed_whatever_a_relay_added() -> None:
    padded = b" " + wire(FIRST)[:-1] + b', "more" : [1, 2, 3] }'
    record = decode(run(SeenSet(10), [line(padded)]).records(0).events[0].value)
    assert record.raw == encode_event(FIRST)
