"""The seen-set is bounded, keeps what was used last, and tells what is in flight from what was learned."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.validate.seen import FINGERPRINT_BYTES, SeenSet, fingerprint, pack, signature_of, unpack

IDS = 4


def key(number: int) -> bytes:
    return number.to_bytes(FINGERPRINT_BYTES)


def record(number: int) -> bytes:
    return pack(number.to_bytes(32), bytes(FINGERPRINT_BYTES), number)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=200))
def test_keeps_what_was_used_last_and_never_more_than_its_bound(steps: list[tuple[bool, int]]) -> None:
    seen = SeenSet(IDS)
    used: list[int] = []  # keys, the most recently used last
    for learn, number in steps:
        if learn:
            seen.learn([(key(number), record(number))])
        known = seen.get(key(number)) == record(number)
        assert known or number not in used[-IDS:]
        if known:
            used = [other for other in used if other != number] + [number]
        assert len(seen) <= 2 * IDS


def test_what_is_used_stays_beyond_what_is_only_learned() -> None:
    seen = SeenSet(IDS)
    seen.learn([(key(0), record(0))])
    for number in range(1, 10 * IDS):
        seen.learn([(key(number), record(number))])
        assert seen.get(key(0)) == record(0)
    assert seen.get(key(1)) is None


def test_what_was_never_learned_is_not_known() -> None:
    seen = SeenSet(IDS)
    seen.learn([(key(number), record(number)) for number in range(100)])
    assert seen.get(key(0)) is None
    assert seen.get(key(100)) is None


def test_in_flight_is_known_until_the_assignment_ends() -> None:
    seen = SeenSet(IDS)
    seen.hold([(key(1), record(1)), (key(2), record(2))])
    assert seen.get(key(1)) == record(1)
    seen.learn([(key(1), record(1))])
    seen.forget_in_flight()
    assert seen.get(key(1)) == record(1)
    assert seen.get(key(2)) is None
    assert seen.in_flight == 0


@given(st.binary(min_size=32, max_size=32), st.binary(), st.none() | st.integers(0, 2**40 - 1))
def test_a_record_gives_back_what_was_packed(event_id: bytes, signature: bytes, created_at: int | None) -> None:
    packed = pack(event_id, fingerprint(signature), created_at)
    assert unpack(packed) == (event_id.hex(), created_at)
    assert signature_of(packed) == fingerprint(signature)
