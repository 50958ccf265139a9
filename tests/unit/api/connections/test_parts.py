"""A message is cut into frames that together are the message, and short ones stay whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.connections.parts import PART_BYTES, Part, parts


def data_of(part: Part) -> bytes:
    return b"".join(part.pieces)


@given(st.lists(st.binary(max_size=20), min_size=1).filter(any), st.integers(1, 12))
def test_parts_are_the_whole_in_order(buffers: list[bytes], part_bytes: int) -> None:
    found = list(parts(buffers, part_bytes))
    assert b"".join(map(data_of, found)) == b"".join(buffers)
    assert [each.is_first for each in found] == [True] + [False] * (len(found) - 1)
    assert [each.is_last for each in found] == [False] * (len(found) - 1) + [True]
    assert all(len(data_of(each)) == part_bytes for each in found[:-1])
    assert 0 < len(data_of(found[-1])) <= part_bytes


def test_a_message_up_to_one_part_is_one_frame() -> None:
    assert [len(data_of(each)) for each in parts([b"[", b"x" * (PART_BYTES - 2), b"]"])] == [PART_BYTES]
    assert [len(data_of(each)) for each in parts([b"[", b"x" * (PART_BYTES - 1), b"]"])] == [PART_BYTES, 1]


def test_nothing_is_copied_before_it_is_sent() -> None:
    text = b"x" * 3 * PART_BYTES
    assert all(memoryview(piece).obj is text for each in parts([text]) for piece in each.pieces)
