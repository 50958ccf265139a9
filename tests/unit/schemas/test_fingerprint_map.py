"""The compact map behaves like a dict that keeps the largest value of a key, and takes a fraction of its memory."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fingerprint_map import FINGERPRINT_BYTES, FingerprintMap, fingerprint

keys = st.binary(min_size=FINGERPRINT_BYTES, max_size=FINGERPRINT_BYTES)
# Keys that may be found across two entries, since values hold the same bytes.
repeated = st.sampled_from([bytes([byte]) * FINGERPRINT_BYTES for byte in range(3)])
values = st.integers(0, 2**63 - 1) | st.sampled_from([0, 0x0101010101010101, 0x0202020202020202])


@given(st.lists(st.tuples(keys | repeated, values)), keys | repeated)
def test_it_keeps_the_largest_value_of_each_key(puts: list[tuple[bytes, int]], absent: bytes) -> None:
    found, expected = FingerprintMap(), dict[bytes, int]()
    for key, value in puts:
        found.put(key, value)
        expected[key] = max(value, expected.get(key, 0))
    assert {key: found.get(key) for key in expected} == expected
    assert len(found) == len(expected)
    assert found.get(absent) == expected.get(absent)


@pytest.mark.slow
def test_keys_in_one_bucket_are_told_apart() -> None:
    made = FingerprintMap()
    puts = {fingerprint(b"%d" % number): number for number in range(200_000)}  # six in each
    for key, value in puts.items():
        made.put(key, value)
    assert all(made.get(key) == value for key, value in puts.items())
    assert not any(made.get(fingerprint(b"absent %d" % number)) for number in range(200_000))


@pytest.mark.slow
def test_an_entry_takes_less_than_45_bytes() -> None:
    tracemalloc.start()
    try:
        made = FingerprintMap()
        for number in range(200_000):
            made.put(fingerprint(b"%d" % number), number)
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size_bytes / len(made) < 45


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="key: has 32 bytes"):
        FingerprintMap().put(bytes(32), 1)
