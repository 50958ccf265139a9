"""Whatever two parties hold, they find out what they do not share; whatever a relay sends, it costs little and ends."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.negentropy.client import MOST_NEEDED, Reconciliation
from schemas.negentropy.wire import (
    END_OF_TIME,
    FINGERPRINT,
    ID_LIST,
    INFINITE,
    MOST_RANGES,
    SKIP,
    Bound,
    Item,
    MessageReader,
    MessageWriter,
    NegentropyError,
    TooManyError,
    bound_between,
    fingerprint_of,
    varint,
)
from tests.relays.negentropy_server import NegentropyServer


@pytest.fixture(scope="module")
def vectors(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((shared_data / "negentropy_vectors.json").read_bytes())
    return found


def item(number: int, *, at: int = 1_700_000_000) -> Item:
    return at, sha256(b"%d" % number).digest()


def items_of(case: dict[str, Any], side: str) -> list[Item]:
    return [(created_at, bytes.fromhex(event_id)) for created_at, event_id in case[f"{side}_items"]]


def reconciled(client: Reconciliation, server: NegentropyServer) -> list[bytes]:
    """Let both talk until the client has no more to say; returns what was said."""
    said = [client.initiate()]
    while True:
        said.append(server.answer(said[-1]))
        answer = client.answer(said[-1])
        if answer is None:
            return said
        said.append(answer)


def test_both_sides_say_what_the_reference_says(vectors: dict[str, Any]) -> None:
    assert len(vectors["cases"]) == 8
    for case in vectors["cases"]:
        client = Reconciliation(items_of(case, "client"), frame_limit_bytes=case["client_frame_limit"])
        server = NegentropyServer(items_of(case, "server"), case["server_frame_limit"])
        assert [each.hex() for each in reconciled(client, server)] == [each["hex"] for each in case["transcript"]]
        assert {each.hex() for each in client.need} == set(case["client_need"]), case["name"]
        assert {each.hex() for each in client.have} == set(case["client_have"]), case["name"]


def test_fingerprints_and_integers_are_those_of_the_reference(vectors: dict[str, Any]) -> None:
    for case in vectors["fingerprints"]:
        # The largest set is given by its rule, which is that of `item`.
        listed = case["ids"] if isinstance(case["ids"], list) else [item(number)[1].hex() for number in range(200)]
        ids = [bytes.fromhex(each) for each in listed]
        assert len(ids) == case["n"]
        found = fingerprint_of(sum(int.from_bytes(each, "little") for each in ids), len(ids))
        assert found.hex() == case["fingerprint"], case["name"]
    for number, written in vectors["varints"].items():
        assert varint(int(number)).hex() == written
    with pytest.raises(NegentropyError, match="version"):
        Reconciliation([]).answer(bytes.fromhex(vectors["unknown_version_request"]))


many = st.integers(0, 400)


@settings(max_examples=60)
@given(
    st.sets(many),
    st.sets(many),
    st.integers(1, 40),
    st.sampled_from([0, 4096, 4096 + 300]),
    st.sampled_from([0, 4096]),
)
@example(set(range(400)), set(), 40, 4096, 4096)
@example(set(), set(range(400)), 40, 4096, 4096)
@example(set(range(200, 400)), set(range(200)), 1, 4096, 4096)
def test_any_two_sets_are_reconciled(
    ours: set[int], theirs: set[int], seconds: int, our_limit: int, their_limit: int
) -> None:
    # Few seconds for many items: ties everywhere.
    held = {item(number, at=number % seconds) for number in ours}
    there = {item(number, at=number % seconds) for number in theirs}
    client = Reconciliation(held, frame_limit_bytes=our_limit)
    said = reconciled(client, NegentropyServer(there, their_limit))
    assert client.need.keys() == {event_id for _, event_id in there - held}
    assert client.have == {event_id for _, event_id in held - there}
    assert all(client.need[event_id][0] <= at <= client.need[event_id][1] for at, event_id in there - held)
    assert not our_limit or max(len(each) for each in said[::2]) <= our_limit


@settings(max_examples=10)
@given(st.integers(0), st.integers(0, 120), st.integers(0, 120))
def test_large_sets_with_small_differences_take_few_and_short_messages(seed: int, lack: int, more: int) -> None:
    everything = [item(number, at=number // 3) for number in range(6_000)]
    Random(seed).shuffle(everything)
    held, there = everything[lack:], everything[: 6_000 - more]
    client = Reconciliation(held)
    said = reconciled(client, NegentropyServer(there))
    assert len(client.need) == lack
    assert len(client.have) == more
    assert len(said) <= 2 * 4
    # Each difference costs two lists of fewer than 32 ids; both sides' sets have 192,000 bytes of ids.
    assert sum(map(len, said)) < 6_000 + 2_500 * (lack + more)


@given(st.integers(0, 2**64 - 1))
def test_integers_come_back(number: int) -> None:
    """As that of the first bound, which is one above its second; 0 is the end of time."""
    reader = MessageReader(b"\x61" + varint(number) + varint(0) + varint(SKIP))
    bound, mode = reader.next()
    assert bound.timestamp == (number - 1 if number else END_OF_TIME)
    assert mode == SKIP
    assert reader.ended


ids_of_32 = st.binary(min_size=32, max_size=32)


@given(st.tuples(st.integers(0, 5), ids_of_32), st.tuples(st.integers(0, 5), ids_of_32))
@example((1, b"\x01" * 31 + b"\x00"), (1, b"\x01" * 32))
def test_the_bound_between_two_items_separates_them_with_no_byte_too_many(one: Item, other: Item) -> None:
    if one == other:
        return
    last, first = sorted([one, other])
    bound = bound_between(last, first)
    assert last < (bound.timestamp, bound.prefix) <= first
    if bound.prefix:
        assert last >= (bound.timestamp, bound.prefix[:-1])


@given(st.binary(max_size=200), st.integers(0, 80))
@example(b"", 0)
def test_any_bytes_are_answered_or_refused_with_one_error(received: bytes, held: int) -> None:
    for message in (received, b"\x61" + received):
        client = Reconciliation([item(number) for number in range(held)])
        try:
            answer = client.answer(message)
        except NegentropyError:
            continue
        assert answer is None or answer[0] == 0x61


def message(*parts: bytes) -> bytes:
    return b"\x61" + b"".join(parts)


@pytest.mark.parametrize(
    ("received", "error"),
    [
        (b"", "empty"),
        (b"\x60", "version"),
        (message(varint(0)), "middle of a range"),
        (message(varint(0), varint(33), b"\x00" * 33, varint(SKIP)), "33 bytes"),
        (message(varint(0), varint(0), varint(3)), "unknown mode"),
        (message(varint(0), varint(0), varint(FINGERPRINT), b"\x00" * 15), "middle of a range"),
        (message(varint(0), varint(0), varint(ID_LIST), varint(2), b"\x00" * 63), "middle of a range"),
        # A list that claims more ids than there are bytes in the world is no reason to allocate.
        (message(varint(0), varint(0), varint(ID_LIST), varint(2**63)), "middle of a range"),
        (message(varint(0), varint(0), varint(SKIP), varint(1), varint(0), varint(SKIP)), "end of time"),
        (message(varint(9), varint(1), b"\x05", varint(SKIP), varint(1), varint(1), b"\x04", varint(SKIP)), "before"),
        (message(b"\x80" * 10 + b"\x00"), "64 bits"),
        (message(b"\x83" + b"\xff" * 8 + b"\x7f"), "64 bits"),
    ],
)
def test_what_is_malformed_is_named(received: bytes, error: str) -> None:
    with pytest.raises(NegentropyError, match=error):
        Reconciliation([item(1)]).answer(received)


def test_times_beyond_the_last_are_the_end_of_time() -> None:
    reader = MessageReader(message(varint(2**63), varint(0), varint(SKIP), varint(2**64 - 1), varint(0), varint(SKIP)))
    assert reader.next() == (Bound(2**63 - 1, b""), SKIP)
    assert reader.next() == (Bound(END_OF_TIME, b""), SKIP)


def listing(ids: list[bytes]) -> bytes:
    writer = MessageWriter()
    writer.ids(INFINITE, ids)
    return writer.value()


def test_a_relay_that_invents_ids_is_stopped() -> None:
    invented = [sha256(b"%d" % number).digest() for number in range(MOST_NEEDED + 1)]
    assert Reconciliation([]).answer(listing(invented[1:])) is None
    with pytest.raises(TooManyError):
        Reconciliation([]).answer(listing(invented))
    client = Reconciliation([], most_needed=3)
    assert client.answer(listing(invented[:3])) is None
    with pytest.raises(TooManyError):
        client.answer(listing(invented[3:4]))


def test_a_relay_that_never_agrees_is_stopped_and_never_answered_with_more_than_a_frame() -> None:
    client = Reconciliation(
        [item(number, at=number) for number in range(5_000)], frame_limit_bytes=8_000, most_rounds=9
    )
    client.initiate()
    # As many ranges as fit, each with a fingerprint that nothing has.
    writer = MessageWriter()
    for second in range(1, 5_000):
        writer.fingerprint(Bound(second, b""), b"\x00" * 16)
    for _ in range(9):
        answer = client.answer(writer.value())
        assert answer is not None
        assert len(answer) <= 8_000
    with pytest.raises(NegentropyError, match="on and on"):
        client.answer(writer.value())


def test_what_lacks_at_the_end_of_a_full_message_is_not_taken_for_shared() -> None:
    # The relay ends its message with the fingerprint of nothing; what we have above it does not fit into ours.
    held = [item(number, at=number) for number in range(200)]
    client = Reconciliation(held, frame_limit_bytes=4096)
    client.initiate()
    writer = MessageWriter()
    # Four lists of ours leave no room for the split of the rest.
    for end in (31, 62, 93, 120):
        writer.fingerprint(Bound(end, b""), b"\x00" * 16)
    writer.fingerprint(INFINITE, fingerprint_of(0, 0))
    answer = client.answer(writer.value())
    assert answer is not None
    server = NegentropyServer(held[:120])
    while answer is not None:
        answer = client.answer(server.answer(answer))
    assert client.have == {event_id for _, event_id in held[120:]}


def test_a_message_of_countless_ranges_is_not_read_to_its_end() -> None:
    empty_range = varint(1) + varint(0) + varint(SKIP)
    assert Reconciliation([]).answer(message(empty_range * MOST_RANGES)) is None
    with pytest.raises(NegentropyError, match="ranges in a message"):
        Reconciliation([]).answer(message(empty_range * (MOST_RANGES + 1)))


def test_a_frame_limit_that_holds_no_split_is_refused() -> None:
    with pytest.raises(ValueError, match="frame_limit_bytes"):
        Reconciliation([], frame_limit_bytes=1_000)
