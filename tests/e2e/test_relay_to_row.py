"""From a relay that is not ours to a row: exact, once, with every sighting, and forgeries keep nothing out."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from core.kafka import consumer, end_offsets, stop_client
from deploy.embedded.demo_events import generate, live
from deploy.embedded.demo_scene import Signed
from schemas.event import encode_event, parse_event
from schemas.reasons import Reason
from schemas.topics import physical
from tests.pipeline.fixtures import Pipeline
from tests.pipeline.world import announce
from tests.relays.client import fill
from tests.relays.forgery import with_another_content, with_another_signature
from tests.relays.local_relay import local_relay
from tests.relays.python_relay import python_relay
from tests.relays.scripted import scripted_relay

Forge = Callable[[bytes], bytes]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


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
            wanted = {(event.id, local) for event in first} | {(event.id, python) for event in second}

            async def complete() -> bool:
                return wanted <= await running.archive.sightings()

            await running.archive.until("both relays' events", complete)
    archived = await running.archive.events()
    for event in events:
        assert encode_event(archived[event.id]) == encode_event(parse_event(event.wire))
    ours = {event.id for event in events}
    assert {pair for pair in await running.archive.sightings() if pair[0] in ours} == wanted


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
        await running.archive.until("the genuine event", lambda: running.archive.has([genuine]))
        archived = (await running.archive.events())[genuine.id]
        assert encode_event(archived) == encode_event(parse_event(genuine.wire))
        # The liar never had the event: it must not be named as a relay that does.
        assert {pair for pair in await running.archive.sightings() if pair[0] == genuine.id} == {
            (genuine.id, honest.url)
        }


async def test_forged_copies_in_the_same_page_keep_nothing_out(running: Pipeline) -> None:
    events = demo_events(30, seed=30)
    page = [
        raw
        for event in events
        for raw in (with_another_signature(event.wire), with_another_content(event.wire), event.wire)
    ]
    async with scripted_relay(page) as relay:
        await announce(running.settings, relay.url)
        await running.archive.until("the genuine events", lambda: running.archive.has(events))
    archived = await running.archive.events()
    for event in events:
        assert encode_event(archived[event.id]) == encode_event(parse_event(event.wire))


async def _rejection_reasons(running: Pipeline, raw: bytes) -> set[str]:
    """Return the reasons with which exactly these bytes were refused."""
    topic = physical(running.settings.kafka.topic_prefix, "rejections")
    ends = await end_offsets(running.settings, [topic])
    client = await consumer(running.settings)
    reasons = set()
    try:
        client.assign(list(ends))
        await client.seek_to_beginning(*ends)
        while any([await client.position(tp) < end for tp, end in ends.items()]):
            for records in (await client.getmany(timeout_ms=200)).values():
                reasons |= {dict(record.headers)["reason"].decode() for record in records if record.value == raw}
        return reasons
    finally:
        await stop_client(client)
