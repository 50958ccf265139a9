"""What is left out because it is known never changes what the archive ends with: the earliest time of every pair."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.validate.erasing import Erasing
from processors.validate.known.pairs import RelayTokens
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Outcome, Source
from processors.validate.pipeline import conclude_bundle, examine_bundle
from schemas.nostr.judge import Policy
from schemas.nostr.signature import verify_many
from schemas.partition import event_partition
from schemas.records.bundle import HeldLine, encode_held_line, encode_line
from tests.unit.processors.material import event, other_bytes, wire

EVENTS = [event(f"event {number}") for number in range(3)]
FIRST = EVENTS[0]
RELAYS = ["wss://a.example", "wss://b.example", "wss://c.example"]

Table = dict[tuple[str, str], int]
"""(id, relay) → the earliest time: the archive's sightings."""
Copy = tuple[int, int, int, str]
"""Number of the event, number of the relay, time in ms, and how it comes."""

copies = st.tuples(
    st.integers(0, len(EVENTS) - 1),
    st.integers(0, len(RELAYS) - 1),
    st.integers(0, 4),
    st.sampled_from(["bytes", "other bytes", "held"]),
)


def encode(copy: Copy) -> bytes:
    made, relay, at_ms = EVENTS[copy[0]], RELAYS[copy[1]], copy[2]
    if copy[3] == "held":
        return encode_held_line(HeldLine(relay, at_ms, made.id, made.created_at))
    return encode_line(relay, at_ms, wire(made) if copy[3] == "bytes" else other_bytes(made))


def judge(seen: SeenSet, lines: Iterable[bytes], *, partition: int = 0, partitions: int = 1) -> Outcome:
    found = examine_bundle(b"".join(lines), seen, Policy(), Erasing())
    verdicts = verify_many(found.signatures)
    return conclude_bundle(found, verdicts, seen, Source("raw.bundles", partition, 0), partitions)


def pairs(outcome: Outcome) -> list[tuple[tuple[str, str], int]]:
    return [
        ((event_id, relay), at_ms)
        for records in outcome.by_partition.values()
        for (relay, at_ms), ids in records.sightings.items()
        for event_id, _ in ids
    ]


def merge(table: Table, found: Iterable[tuple[tuple[str, str], int]]) -> None:
    """As the archive does."""
    for pair, at_ms in found:
        table[pair] = min(at_ms, table.get(pair, at_ms))


def tables_of(copies: Iterable[Copy]) -> Table:
    table: Table = {}
    merge(table, (((EVENTS[number].id, RELAYS[relay]), at_ms) for number, relay, at_ms, _ in copies))
    return table


@settings(max_examples=150)
@given(
    st.lists(st.lists(copies, min_size=1, max_size=6), max_size=8),
    st.lists(st.sampled_from(["acknowledge", "leave", "revoke", "restart"]), max_size=30),
    st.sampled_from([1, 3, 100]),
    st.sampled_from([1, 100]),
)
def test_the_archive_converges_whatever_is_repeated_and_lost(
    bundles: list[list[Copy]], steps: list[str], ids: int, most_relays: int
) -> None:
    """Bundles are read, acknowledged in order, and read again from the first that was not, as a lane does."""
    relays = RelayTokens(most_relays)
    seen = SeenSet(ids, relays)
    published: Table = {}
    open_bundles: deque[Outcome] = deque()
    acknowledged = 0
    script = iter(steps)
    while acknowledged < len(bundles):
        at = acknowledged + len(open_bundles)
        step = next(script, "acknowledge")
        if at < len(bundles):
            outcome = judge(seen, map(encode, bundles[at]))
            seen.hold(outcome.learned)
            open_bundles.append(outcome)
        if step == "acknowledge":
            outcome = open_bundles.popleft()
            merge(published, pairs(outcome))  # only now: what was sent before may have been lost
            seen.learn(outcome.learned)
            acknowledged += 1
        elif step == "revoke":
            seen.forget_in_flight()
            open_bundles.clear()
        elif step == "restart":
            relays = RelayTokens(most_relays)
            seen = SeenSet(ids, relays)
            open_bundles.clear()
    assert published == tables_of(copy for bundle in bundles for copy in bundle)


@settings(max_examples=50)
@given(st.lists(copies, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_what_comes_again_in_any_order_is_not_published_again(made: list[Copy], random: object) -> None:
    made = [(*copy[:3], "bytes") for copy in made]
    seen = SeenSet(100, RelayTokens())
    seen.learn(judge(seen, map(encode, made)).learned)
    again = [*made, *made]
    random.shuffle(again)  # type: ignore[attr-defined]
    outcome = judge(seen, map(encode, again))
    assert (pairs(outcome), outcome.known_sightings) == ([], len(again))


def line(at_ms: int, relay: str = RELAYS[0]) -> bytes:
    return encode_line(relay, at_ms, wire(FIRST))


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        ([line(5), line(5), line(6)], [5]),
        ([line(5), line(4), line(6), line(4)], [5, 4]),
    ],
)
def test_an_earlier_time_is_published_and_a_later_one_is_not(lines: Sequence[bytes], times: list[int]) -> None:
    in_one = judge(SeenSet(10, RelayTokens()), lines)
    assert [at_ms for _, at_ms in pairs(in_one)] == times
    seen = SeenSet(10, RelayTokens())
    one_by_one = []
    for each in lines:
        outcome = judge(seen, [each])
        seen.hold(outcome.learned)
        one_by_one += [at_ms for _, at_ms in pairs(outcome)]
    assert one_by_one == times


def test_without_tokens_every_sighting_is_published() -> None:
    seen = SeenSet(10)
    for _ in range(2):
        outcome = judge(seen, [line(5)])
        seen.learn(outcome.learned)
        assert [at_ms for _, at_ms in pairs(outcome)] == [5]


def test_what_another_partition_has_to_remember_is_published_each_time() -> None:
    partitions = 4
    foreign = (event_partition(FIRST.id, partitions) + 1) % partitions
    seen = SeenSet(10, RelayTokens())
    for lines in ([line(5)], [line(5)], [encode_held_line(HeldLine(RELAYS[0], 5, FIRST.id, FIRST.created_at))]):
        outcome = judge(seen, lines, partition=foreign, partitions=partitions)
        seen.learn(outcome.learned)
        assert [at_ms for _, at_ms in pairs(outcome)] == [5]
