"""A processor on a real Kafka lets nothing through that is erased, and asks for erasures where the policy says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.settings import PolicySettings, Settings
from deploy.demo.events import generate
from schemas.nostr.event import Event, encode_event, parse_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.kinds import DELETION_KIND
from schemas.nostr.signature import public_key, sign
from schemas.records.erasure import Cause, Erasure, Erasures
from tests.broker.processors.harness import (
    Line,
    all_committed,
    bundles,
    erase,
    event_ids,
    line,
    processor,
    produce,
    records,
    rejected,
    sighted,
)
from tests.unit.processors.material import PUBKEY, event, wire
from tests.waiting import until

pytestmark = pytest.mark.broker

ERASE = PolicySettings(deletion="erase", expiration="erase", vanish="erase")
OTHER_SECRET = bytes.fromhex("b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef")
"""The private key of BIP-340's second test vector."""
AT_S = 1_700_000_000


def by_other(kind: int, tags: list[list[str]]) -> Event:
    unsigned = Event("", public_key(OTHER_SECRET), AT_S, kind, tags, "", "")
    made = unsigned._replace(id=compute_id(unsigned))
    return made._replace(sig=sign(OTHER_SECRET, bytes.fromhex(made.id)))


def copies(*events: Event, relay: str = "wss://a.example") -> list[Line]:
    return [line(made.id, wire(made), relay) for made in events]


async def test_what_is_erased_before_the_start_or_while_running_is_never_emitted(
    ours: Settings, tmp_path: Path
) -> None:
    by_id, by_author_id, kept, old = (
        event("by id"),
        event("by author"),
        event("kept"),
        event("old", created_at=AT_S - 9),
    )
    await erase(
        ours,
        [
            Erasure(id=by_id.id, cause=Cause.LAW, erased_at_ms=1),
            Erasure(id=by_author_id.id, pubkey=PUBKEY, cause=Cause.DELETION, erased_at_ms=1),
            # A deletion that another author asked for erases nothing.
            Erasure(id=kept.id, pubkey=public_key(OTHER_SECRET), cause=Cause.DELETION, erased_at_ms=1),
            Erasure(pubkey=PUBKEY, until_s=AT_S - 1, cause=Cause.OPERATOR, erased_at_ms=1),
        ],
    )
    made = bundles(copies(by_id, by_author_id, kept, old), ours.kafka.partitions, size=1)
    await produce(ours, made)
    with processor(ours, tmp_path) as process:
        await all_committed(ours, made)
        assert await event_ids(ours) == [kept.id]

        # Known bytes, and an event that was never seen, are dropped once the processor knows of it.
        unseen = event("unseen")
        await erase(ours, [Erasure(id=each.id, cause=Cause.OPERATOR, erased_at_ms=2) for each in (kept, unseen)])

        async def known() -> bool:
            return process.details().get("erasures") == 6

        await until(known, "the rules are known")
        later = bundles(copies(kept, unseen, by_id, relay="wss://b.example"), ours.kafka.partitions, size=1)
        await produce(ours, later)
        await all_committed(ours, made + later)
        assert await process.stop() == 0, process.log()
    assert await event_ids(ours) == [kept.id]
    assert await sighted(ours) == {(kept.id, "wss://a.example")}
    assert await rejected(ours) + await rejected(ours, "quarantine") == []


def asking(events: list[Event]) -> list[Event]:
    """Requests for some of the events: deletions, a forged one, one that has expired, and one to vanish."""
    return [
        *(event("", kind=5, tags=[["e", made.id]]) for made in events[:20]),
        event("", kind=5, tags=[["e", made.id] for made in events[20:60]]),
        by_other(5, [["e", made.id] for made in events[60:80]]),
        event("gone", tags=[["expiration", str(AT_S)]]),
        by_other(62, [["relay", "ALL_RELAYS"]]),
    ]


async def test_killed_and_replayed_the_same_is_asked_for_and_the_same_is_erased(ours: Settings, tmp_path: Path) -> None:
    ours = ours.model_copy(update={"policy": ERASE})
    mine = [event(f"number {number}") for number in range(100)]
    others = [by_other(1, [["t", str(number)]]) for number in range(10)]
    generated = [parse_event(each.wire) for each in generate(600, seed=3, base_time_s=AT_S, workers=1)]
    noise = [each for each in generated if each.kind != DELETION_KIND]
    requests = asking(mine)
    # Half of the targets come before what asks for them, half after.
    order = [*mine[::2], *others[::2], *noise[:300], *requests, *noise[300:], *mine[1::2], *others[1::2]]
    made = bundles([line(each.id, encode_event(each)) for each in order], ours.kafka.partitions, size=10)
    await produce(ours, made)
    with processor(ours, tmp_path, name="killed") as process:

        async def under_way() -> bool:
            return bool(await records(ours, "erasures"))

        await until(under_way, "the first erasure")
        process.kill()
    with processor(ours, tmp_path, name="again") as process:
        await all_committed(ours, made)
        assert await process.stop() == 0, process.log()

    written = await records(ours, "erasures")
    rules = Erasures()
    for record in written:
        rule = Erasure.decode(record.value)
        assert record.key == rule.key()
        assert record.partition == rule.partition(ours.kafka.partitions)
        rules.add(rule)
    gone = {made.id for made in [*mine[:60], *others]}
    # A request to vanish takes the deletions of its author too, and leaves what they asked for in force.
    gone |= {requests[21].id}
    assert {each.id for each in order if rules.covers(each)} == gone
    assert {key for record in written if (key := record.key).count(b":") == 1} == {
        f"{target.id}:{asker.pubkey}".encode()
        for asker in requests[:22]
        for target in mine
        if ["e", target.id] in asker.tags
    }

    # Read again from the beginning by another group: nothing comes back, and nothing else is missing.
    before = Counter(record.partition for record in await records(ours, "events"))
    replay = ours.model_copy(
        update={"processor": ours.processor.model_copy(update={"group_id": f"{ours.processor.group_id}-replay"})}
    )
    with processor(replay, tmp_path, name="replay") as process:
        await all_committed(replay, made)
        assert await process.stop() == 0, process.log()
    again = await records(ours, "events")
    emitted = [
        record.key.hex()
        for at in range(ours.kafka.partitions)
        for record in [found for found in again if found.partition == at][before[at] :]
    ]
    assert sorted(emitted) == sorted({each.id for each in order} - gone - {requests[22].id})
    assert len(await records(ours, "erasures")) == len(written)
    assert await rejected(ours) == []
