"""A record tells the earliest time of each relay, whatever bytes stand around it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.validate.known.pairs import MOST_RELAYS, RelayTokens, known_time, pack_time, with_pair, with_pairs

HEAD = b"some head"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3) | st.integers(0, 2**53 - 1)), max_size=40))
def test_a_record_keeps_the_minimum_of_each_relay(steps: list[tuple[int, int]]) -> None:
    record, expected = HEAD, dict[int, int]()
    for relay, at_ms in steps:
        record = with_pair(record, len(HEAD), relay.to_bytes(4), pack_time(at_ms))
        expected[relay] = min(at_ms, expected.get(relay, at_ms))
    for relay in range(5):
        known = known_time(record, len(HEAD), relay.to_bytes(4))
        assert known == (pack_time(expected[relay]) if relay in expected else None)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9))), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)))
)
def test_pairs_together_are_pairs_one_by_one(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    one, other, together = HEAD, b"", HEAD
    for relay, at_ms in first:
        one = together = with_pair(one, len(HEAD), relay.to_bytes(4), pack_time(at_ms))
    for relay, at_ms in second:
        one = with_pair(one, len(HEAD), relay.to_bytes(4), pack_time(at_ms))
        other = with_pair(other, 0, relay.to_bytes(4), pack_time(at_ms))
    assert with_pairs(together, len(HEAD), other) == one


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
def test_packed_times_compare_like_times(one: int, other: int) -> None:
    assert (pack_time(one) < pack_time(other)) == (one < other)


def test_a_full_record_takes_no_further_relay_but_earlier_times() -> None:
    record = HEAD
    for relay in range(MOST_RELAYS + 1):
        record = with_pair(record, len(HEAD), relay.to_bytes(4), pack_time(9))
    assert known_time(record, len(HEAD), MOST_RELAYS.to_bytes(4)) is None
    record = with_pair(record, len(HEAD), bytes(4), pack_time(8))
    assert known_time(record, len(HEAD), bytes(4)) == pack_time(8)


def test_no_token_is_given_to_two_relays() -> None:
    tokens = RelayTokens(most=3)
    given_out = [tokens[f"wss://{number % 7}.example"] for number in range(50)]
    assert tokens["wss://0.example"] == tokens["wss://0.example"]
    owners: dict[bytes, int] = {}
    for number, token in enumerate(given_out):
        assert owners.setdefault(token, number % 7) == number % 7
    assert len(tokens) <= 3
