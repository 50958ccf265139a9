"""Relays that are not ours: what they hold arrives complete, and a killed connector loses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from nostr_sdk import LocalRelay, LocalRelayBuilder, RateLimit
from websockets.asyncio.client import connect

from core.settings import Settings
from schemas.relay_urls.relay_url import normalize
from tests.broker.processors.harness import processor
from tests.broker.producers.harness import (
    TOPIC_POLL_S,
    connector,
    coverage,
    lines,
    publish,
    relay_status,
    signed,
    stored_events,
    verbatim,
)
from tests.environment import environment
from tests.relays.demo_process import demo_relays
from tests.relays.hostile import Hostile
from tests.waiting import until

pytestmark = pytest.mark.broker

NO_LIMIT = 1_000_000
CONNECTOR = (
    "import sys; from core.service import run_service; from core.settings import load_settings; "
    "from producers.connector.service import ConnectorService; sys.exit(run_service(ConnectorService(load_settings())))"
)


async def fill(url: str, events: list[dict[str, Any]]) -> None:
    """Publish through the relay's front door, which checks every signature."""
    async with connect(url, proxy=None) as websocket:
        for event in events:
            await websocket.send(orjson.dumps(["EVENT", event]).decode())
            answer = orjson.loads(await websocket.recv())
            assert answer[:3] == ["OK", event["id"], True], answer


async def local_relay() -> tuple[LocalRelay, str]:
    builder = LocalRelayBuilder().addr("127.0.0.1").max_filter_limit(100)
    relay = builder.rate_limit(RateLimit(max_reqs=NO_LIMIT, notes_per_minute=NO_LIMIT)).build()
    await relay.run()
    return relay, normalize(str(await relay.url()), allow_private=True).url


async def test_what_relays_that_behave_send_again_is_less_than_a_third(quick: Settings, tmp_path: Path) -> None:
    # As many as the demo's relays have: what is asked for twice is a page or two of each relay, however many it has.
    # Without a processor, relays are held back after 2,000 copies each.
    with demo_relays(relays=2, events=5000, copies=1.6) as relays, processor(quick, tmp_path):
        offered = relays.offer["per_relay"]
        await publish(quick, relays.urls)
        async with connector(quick) as service:
            await until(lambda: all(relay_status(service, url)["crawl"]["done"] for url in offered), "crawled")
        found = await coverage(quick)
    for url, events in offered.items():
        copies = found[url].copies
        assert copies.received - copies.repeated == events
        assert copies.received <= 1.3 * events, url


async def test_two_local_relays_are_read_completely_and_followed(quick: Settings) -> None:
    events = stored_events(350)
    # Many in one second, but not more than a page: the boundary of pages falls inside.
    events += [signed(events[100]["created_at"], f"tie {number}") for number in range(60)]
    events.append(signed(int(time.time()) + 86_400, "dated into the future"))
    events.append(signed(1, "dated to the beginning"))
    shared = events[::2]
    (first, first_url), (second, second_url) = await local_relay(), await local_relay()
    try:
        await fill(first_url, events)
        await fill(second_url, shared)
        await publish(quick, [first_url, second_url])
        async with connector(quick) as service:
            await until(
                lambda: all(relay_status(service, url)["state"] == "live" for url in (first_url, second_url)), "live"
            )
            late = [signed(int(time.time()) - 100_000, "two days old"), signed(int(time.time()), "new")]
            await fill(first_url, late)

            async def arrived() -> bool:
                return {verbatim(each) for each in late} <= {line.event for line in await lines(quick)}

            await until(arrived, "live events", poll_s=TOPIC_POLL_S)
    finally:
        first.shutdown()
        second.shutdown()
    found = await lines(quick)
    taken = {(line.relay, orjson.loads(line.event or b"")["id"]) for line in found}
    assert taken == {(first_url, event["id"]) for event in [*events, *late]} | {
        (second_url, event["id"]) for event in shared
    }
    assert all(not each.gaps for record in (await coverage(quick)).values() for each in record.sets)


async def test_kill_9_repeats_work_and_loses_nothing(quick: Settings, tmp_path: Path) -> None:
    """Killed while crawling, again and again: `coverage` never calls read what is not in `raw.bundles`."""
    events = stored_events(4000)
    async with Hostile(events) as relay:
        await publish(quick, [relay.url])
        for kill in range(3):
            process = await _connector_process(quick, tmp_path)
            try:
                asked = 12 * (kill + 1)

                def is_in_the_middle(asked: int = asked) -> bool:
                    return len(relay.requests) >= asked

                await until(is_in_the_middle, f"{asked} requests")
            finally:
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()
            stored = {line.event for line in await lines(quick)}
            record = (await coverage(quick)).get(relay.url)
            for event in events:
                covered = record is not None and any(
                    since <= event["created_at"] <= until_s for since, until_s, _ in record.sets[0].read
                )
                assert not covered or verbatim(event) in stored
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["crawl"]["done"], "crawled")
    assert {line.event for line in await lines(quick)} == {verbatim(event) for event in events}


async def _connector_process(settings: Settings, tmp_path: Path) -> asyncio.subprocess.Process:
    # A group of its own each time: the killed member would be waited for until its session ends.
    own = {"BIGBROTR_CONNECTOR__GROUP_ID": f"{settings.connector.group_id}-{time.monotonic_ns()}"}
    env = environment(settings, BIGBROTR_DATA_DIR=str(tmp_path), **own)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONNECTOR, env=env, stderr=asyncio.subprocess.DEVNULL
    )
