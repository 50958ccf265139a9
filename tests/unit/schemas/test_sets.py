"""Ranges, partitions and digests: the arithmetic that coverage, placement and comparison rest on."""

from __future__ import annotations

import random
from collections import Counter
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.digest import Digest
from schemas.partition import event_partition, is_partition_count, relay_partition
from schemas.ranges import Range, complement, contains, merge, subtract
from tests.unit.schemas.strategies import hex32, texts

ranges = st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))), max_size=8)
counts = st.integers(0, 20).map(lambda bits: 2**bits)


def members(of: list[Range]) -> set[int]:
    return {value for low, high in of for value in range(low, high + 1)}


def in_one_spelling(of: list[Range]) -> bool:
    return of == sorted(of) and all(low <= high for low, high in of) and all(a[1] + 1 < b[0] for a, b in pairwise(of))


@given(ranges, ranges)
def test_ranges_behave_as_sets(left: list[Range], right: list[Range]) -> None:
    assert members(merge(left)) == members(left)
    assert members(subtract(left, right)) == members(left) - members(right)
    assert members(complement(left, -20, 20)) == set(range(-20, 21)) - members(left)
    for result in (merge(left), subtract(left, right), complement(left, -20, 20)):
        assert in_one_spelling(result)
    assert all(contains(left, value) == (value in members(left)) for value in range(-40, 40))


def test_neighbours_are_joined_and_backward_ranges_refused() -> None:
    assert merge([(3, 4), (1, 2)]) == [(1, 4)]
    assert merge([(4, 4), (1, 2)]) == [(1, 2), (4, 4)]
    with pytest.raises(ValueError, match=r"5\.\.4"):
        merge([(5, 4)])


@given(hex32, counts)
def test_an_event_has_one_partition_by_its_leading_bits(event_id: str, partitions: int) -> None:
    partition = event_partition(event_id, partitions)
    assert 0 <= partition < partitions
    assert partition == int(event_id, 16) >> 256 - (partitions.bit_length() - 1)
    # A topic with twice as many partitions splits each in two.
    assert event_partition(event_id, partitions * 2) // 2 == partition


@given(texts, counts)
def test_a_host_has_one_partition(host: str, partitions: int) -> None:
    assert 0 <= relay_partition(host, partitions) < partitions
    assert relay_partition(host, partitions * 2) // 2 == relay_partition(host, partitions)


def test_partitions_are_stable_and_even() -> None:
    # Fixed values: records of a relay must land where older ones are.
    assert [relay_partition(host, 16) for host in ("relay.example.com", "nos.lol", "127.0.0.1")] == [0xC, 0xA, 0x1]
    assert event_partition("ff" * 32, 16) == 15
    spread = Counter(event_partition(sha256(bytes([i % 256, i // 256])).hexdigest(), 4) for i in range(4000))
    assert min(spread.values()) > 900
    assert [n for n in range(-2, 70) if is_partition_count(n)] == [1, 2, 4, 8, 16, 32, 64]


@given(st.lists(st.tuples(hex32, texts), max_size=8), st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_order_or_parts(pairs: list[tuple[str, str]], rng: random.Random) -> None:
    def digest(of: list[tuple[str, str]]) -> Digest:
        made = Digest()
        for event_id, relay in of:
            made.add_event(event_id)
            made.add_pair(event_id, relay)
        return made

    whole = digest(pairs)
    shuffled = rng.sample(pairs, len(pairs))
    assert digest(shuffled) == whole
    middle = rng.randint(0, len(pairs))
    merged = digest(pairs[:middle])
    merged.merge(digest(pairs[middle:]))
    assert merged == whole
    assert (merged.events, merged.pairs) == (len(pairs), len(pairs))


@given(hex32, hex32, texts, texts)
def test_the_digest_sees_loss_doubling_and_exchange(one: str, other: str, relay: str, elsewhere: str) -> None:
    base = Digest()
    base.add_event(one)
    base.add_pair(one, relay)
    changed = Digest()
    changed.add_event(other)
    changed.add_pair(one, elsewhere)
    assert (changed.events_hex() == base.events_hex()) == (one == other)
    assert (changed.pairs_hex() == base.pairs_hex()) == (relay == elsewhere)
    before = base.hexdigest()
    base.add_event(one)
    assert base.hexdigest() != before


def test_the_digest_is_the_stated_sum() -> None:
    digest = Digest()
    ids = ["00" * 32, "ff" * 32]
    for event_id in ids:
        digest.add_event(event_id)
        digest.add_pair(event_id, "wss://é")
    total = sum(int(sha256(bytes.fromhex(event_id)).hexdigest(), 16) for event_id in ids) % 2**256
    assert digest.events_hex() == f"{total:064x}"
    pairs = sum(int(sha256(bytes.fromhex(i) + "wss://é".encode()).hexdigest(), 16) for i in ids) % 2**256
    assert digest.pairs_hex() == f"{pairs:064x}"
    assert Digest().events_hex() == "0" * 64
