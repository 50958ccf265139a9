"""From a relay that is not ours to a row: exact, once, with every sighting, and forgeries keep nothing out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord

from core.kafka import consumer, end_offsets, stop_client
from deploy.demo.events import generate, live
from deploy.demo.scene import Signed
from schemas.nostr.event import encode_event, parse_event
from schemas.reasons import Reason
from schemas.topics import physical
from tests.pipeline.fixtures import Pipeline
from tests.pipeline.world import announce
from tests.relays.client import fill
from tests.relays.forgery import with_another_content, with_another_signature
from tests.relays.local_relay import local_relay
from tests.relays.python_relay import python_relay
from tests.relays.scripted import scripted_relay
from tests.unit.processors.material import event, wire

Forge = Callable[[bytes], bytes]

CONTENTS = (
    " white space at both ends\n",
    "",
    "NUL \0 in the middle",
    "DEL \x7f",
    "\u2028\u00e9\U0001f44d\ufeff",
    'tab\t"quote"\\/\x01\x1f',
    "long " * 12_000,
)
TAGS = ([["t", " spaced "], ["x"], ["e", ""]], [["d", "nul\0"]], [["", "a"]], [["t", "y" * 2_000]] * 20)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def odd_events() -> list[Signed]:
    """Events that differ from their row if anything between is careless."""
    now_s = int(time.time())
    made = [event(content, created_at=now_s - number) for number, content in enumerate(CONTENTS)]
    made += [event("tags", created_at=now_s - number, tags=tags) for number, tags in enumerate(TAGS)]
    return [Signed(each.id, each.pubkey, each.kind, wire(each)) for each in made]


def demo_events(count: int, seed: int) -> list[Signed]:
    return generate(count, seed=seed, base_time_s=int(time.time()), workers=1)


async def test_two_implementations_to_rows_exactly_and_once(running: Pipeline, tmp_path: Path) -> None:
    events = demo_events(600, seed=11)
    first, second = events[:400], events[200:]
    async with local_relay() as local:
        with python_relay(tmp_path) as python:
            assert await fill(local, first, seed=11) == {}
            assert await fill(python, second, seed=11) == {}
            await announce(running.settings, local, python)
            wanted = {(each.id, local) for each in first} | {(each.id, python) for each in second}

            async def complete() -> bool:
                return wanted <= await running.archive.sightings()

            await running.archive.until("both relays' events", complete)
    await rows_are_exact(running, events)
    assert await pairs_of(running, events) == wanted


async def test_a_copy_that_comes_later_is_a_sighting_and_no_second_event(running: Pipeline) -> None:
    events = odd_events() + demo_events(50, seed=14)
    async with local_relay() as first, local_relay() as second:
        assert await fill(first, events, seed=14) == {}
        assert await fill(second, events, seed=14) == {}
        await announce(running.settings, first)
        await running.archive.until("the first copies", lambda: running.archive.has(events))
        await announce(running.settings, second)
        wanted = {(each.id, url) for each in events for url in (first, second)}

        async def complete() -> bool:
            return wanted <= await running.archive.sightings()

        await running.archive.until("the second copies", complete)
    await rows_are_exact(running, events)
    assert await pairs_of(running, events) == wanted
    published = Counter((record.key or b"").hex() for record in await _records(running, "events"))
    assert {published[each.id] for each in events} == {1}


async def test_a_live_event_arrives_while_its_relay_is_connected(running: Pipeline) -> None:
    stored = demo_events(1, seed=12)
    async with local_relay() as url:
        assert await fill(url, stored, seed=12) == {}
        await announce(running.settings, url)
        await running.archive.until("the stored event", lambda: running.archive.has(stored))
        new = list(islice(live(seed=13, clock=lambda: int(time.time())), 5))
        assert await fill(url, new, seed=13) == {}
        await running.archive.until("the live events", lambda: running.archive.has(new))


@pytest.mark.parametrize(
    ("forge", "reason"),
    [(with_another_signature, Reason.BAD_SIGNATURE), (with_another_content, Reason.ID_MISMATCH)],
)
async def test_a_forged_copy_delivered_first_keeps_nothing_out(running: Pipeline, forge: Forge, reason: Reason) -> None:
    (genuine,) = demo_events(1, seed=20 + len(reason))
    forged = forge(genuine.wire)
    async with scripted_relay([forged]) as liar, scripted_relay([genuine.wire]) as honest:
        await announce(running.settings, liar.url)

        async def refused() -> bool:
            return reason.value in await _rejection_reasons(running, forged)

        await running.archive.until("the rejection of the forged copy", refused)
        assert not await running.archive.has([genuine])
        await announce(running.settings, honest.url)
        await rows_are_exact(running, [genuine])

        async def sighted() -> bool:
            return bool(await pairs_of(running, [genuine]))

        await running.archive.until("its sighting", sighted)
        # The liar never had the event: it must not be named as a relay that does.
        assert await pairs_of(running, [genuine]) == {(genuine.id, honest.url)}


async def test_forged_copies_in_the_same_page_keep_nothing_out(running: Pipeline) -> None:
    # Of 20 forged copies a relay is left for an hour, perhaps before it has sent the rest.
    events = demo_events(9, seed=30)
    page = [
        raw
        for each in events
        for raw in (with_another_signature(each.wire), with_another_content(each.wire), each.wire)
    ]
    async with scripted_relay(page) as relay:
        await announce(running.settings, relay.url)
        await running.archive.until("the genuine events", lambda: running.archive.has(events))
    await rows_are_exact(running, events)


async def rows_are_exact(running: Pipeline, events: Sequence[Signed]) -> None:
    # Sightings are another topic: the last may be written before the last event, or the other way round.
    await running.archive.until("the events", lambda: running.archive.has(events))
    archived = await running.archive.events()
    for each in events:
        assert encode_event(archived[each.id]) == encode_event(parse_event(each.wire))


async def pairs_of(running: Pipeline, events: Sequence[Signed]) -> set[tuple[str, str]]:
    ids = {each.id for each in events}
    return {pair for pair in await running.archive.sightings() if pair[0] in ids}


async def _rejection_reasons(running: Pipeline, raw: bytes) -> set[str]:
    """Return the reasons with which exactly these bytes were refused."""
    found = [record for record in await _records(running, "rejections") if record.value == raw]
    return {dict(record.headers)["reason"].decode() for record in found}


async def _records(running: Pipeline, name: str) -> list[ConsumerRecord[bytes, bytes]]:
    """Return everything that a topic holds now."""
    topic = physical(running.settings.kafka.topic_prefix, name)
    ends = await end_offsets(running.settings, [topic])
    client = await consumer(running.settings)
    found: list[ConsumerRecord[bytes, bytes]] = []
    try:
        client.assign(list(ends))
        await client.seek_to_beginning(*ends)
        while any([await client.position(tp) < end for tp, end in ends.items()]):
            for records in (await client.getmany(timeout_ms=200)).values():
                found += records
        return found
    finally:
        await stop_client(client)
