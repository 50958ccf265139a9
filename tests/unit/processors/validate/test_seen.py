"""The seen-set is bounded, keeps what was used last, and tells what is in flight from what was learned."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.validate.known.pairs import RelayTokens, known_time, pack_time
from processors.validate.known.seen import HEAD_BYTES, Learned, SeenSet, created_at_of, pack, signature_of
from schemas.fingerprint_map import FINGERPRINT_BYTES, fingerprint

IDS = 4
RELAY, OTHER = RelayTokens()["wss://a.example"], (7).to_bytes(4)


def key(number: int) -> bytes:
    return number.to_bytes(32)


def record(number: int) -> bytes:
    return pack(bytes(FINGERPRINT_BYTES), number)


def learned(*numbers: int) -> Learned:
    return Learned([(key(number), record(number)) for number in numbers])


def pair(number: int, at_ms: int, token: bytes = RELAY) -> Learned:
    return Learned([], {key(number): token + pack_time(at_ms)})


def pairs_of(relays: int) -> bytes:
    return b"".join(token.to_bytes(4) + pack_time(2**40) for token in range(1, relays + 1))


def time_of(seen: SeenSet, number: int, token: bytes = RELAY) -> bytes | None:
    found = seen.get(key(number))
    return None if found is None else known_time(found, HEAD_BYTES, token)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=200))
def test_keeps_what_was_used_last_and_never_more_than_its_bound(steps: list[tuple[bool, int]]) -> None:
    seen = SeenSet(IDS)
    used: list[int] = []  # keys, the most recently used last
    for learn, number in steps:
        if learn:
            seen.learn(learned(number))
        known = seen.get(key(number)) == record(number)
        assert known or number not in used[-IDS:]
        if known:
            used = [other for other in used if other != number] + [number]
        assert len(seen) <= 2 * IDS


def test_what_is_used_stays_beyond_what_is_only_learned() -> None:
    seen = SeenSet(IDS)
    seen.learn(learned(0))
    for number in range(1, 10 * IDS):
        seen.learn(learned(number))
        assert seen.get(key(0)) == record(0)
    assert seen.get(key(1)) is None


def test_what_was_never_learned_is_not_known() -> None:
    seen = SeenSet(IDS)
    seen.learn(learned(*range(100)))
    assert seen.get(key(0)) is None
    assert seen.get(key(100)) is None


def test_bytes_lead_to_an_event_for_as_long_as_its_id_is_known() -> None:
    seen = SeenSet(IDS)
    raw = fingerprint(b"raw")
    seen.learn(Learned([(raw, key(1)), (key(1), record(1))]))
    for number in range(2, 10 * IDS):
        seen.learn(learned(number))
        assert seen.find(raw) == (key(1), record(1))
    seen.learn(learned(*range(100, 100 + 2 * IDS)))
    assert seen.find(raw) is None


def test_in_flight_is_known_until_the_assignment_ends() -> None:
    seen = SeenSet(IDS)
    first, second = learned(1), learned(2)
    seen.hold(first)
    seen.hold(second)
    assert seen.get(key(1)) == record(1)
    seen.learn(first)
    seen.forget_in_flight()
    assert seen.get(key(1)) == record(1)
    assert seen.get(key(2)) is None
    assert seen.in_flight == 0


def test_a_pair_in_flight_is_known_until_the_assignment_ends() -> None:
    seen = SeenSet(IDS)
    event, early, late = learned(1), pair(1, 5), pair(1, 6, OTHER)
    for each in (event, early, late):
        seen.hold(each)
    assert (time_of(seen, 1), time_of(seen, 1, OTHER)) == (pack_time(5), pack_time(6))
    seen.learn(event)
    seen.learn(early)
    assert (time_of(seen, 1), time_of(seen, 1, OTHER)) == (pack_time(5), pack_time(6))
    seen.forget_in_flight()
    assert time_of(seen, 1, OTHER) is None, "it was never acknowledged"
    assert seen.get(key(1)) is not None, "but the event was"


def test_pairs_of_many_relays_take_the_place_of_other_events() -> None:
    seen = SeenSet(IDS)
    seen.learn(learned(*range(IDS)))
    for number in range(IDS):
        seen.learn(Learned([], {key(number): pairs_of(256)}))
    assert len(seen) < IDS


@pytest.mark.slow
@pytest.mark.parametrize("relays", [0, 3, 30])
def test_memory_is_bounded_by_the_number_of_ids_whatever_relays_have_them(relays: int) -> None:
    ids, most_bytes = 2_000, 400
    tracemalloc.start()
    try:
        seen = SeenSet(ids)
        for number in range(3 * ids):
            event_id = key(number)
            keys = [(fingerprint(event_id), event_id), (event_id, record(number))]
            seen.learn(Learned(keys, {event_id: pairs_of(relays)}))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < most_bytes * ids


@given(st.binary(), st.none() | st.integers(0, 2**40 - 1))
def test_a_record_gives_back_what_was_packed(signature: bytes, created_at: int | None) -> None:
    packed = pack(fingerprint(signature), created_at)
    assert (signature_of(packed), created_at_of(packed)) == (fingerprint(signature), created_at)
