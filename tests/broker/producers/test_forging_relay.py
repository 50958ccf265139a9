"""A relay that sends forged copies without end, beside an honest one, with a connector and a processor."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from core.settings import Settings
from producers.connector.reading.budget import FORGED_PER_HOUR
from producers.connector.reading.pacing import LAG_S
from producers.connector.reading.relay_judge import WAITING_COPIES
from schemas.nostr.event import parse_event
from schemas.reasons import Reason
from tests.broker.processors.harness import all_committed, event_ids, processor, rejected
from tests.broker.producers.harness import (
    connector,
    coverage,
    lines,
    publish,
    records,
    relay_status,
    signed,
    stored_events,
    verbatim,
)
from tests.relays.forgery import with_another_signature
from tests.relays.hostile import Hostile, say
from tests.waiting import until

pytestmark = pytest.mark.broker

ONE_READ_BYTES = 256 * 1024
"""What asyncio takes of a socket at once: it is dealt with before the reading rests."""


async def without_end(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
    """What it has, in a loop, for a live feed and for a page."""
    while True:
        for event in relay.events:
            await say(websocket, "EVENT", subid, event)


async def test_a_forging_relay_is_paused_and_an_honest_one_is_not(quick: Settings, tmp_path: Path) -> None:
    genuine = stored_events(300)
    ephemeral = [signed(genuine[0]["created_at"], f"policy {number}", 20_001) for number in range(30)]
    forged = [parse_event(with_another_signature(verbatim(event)))._asdict() for event in stored_events(400, step_s=3)]
    async with Hostile([*genuine, *ephemeral]) as honest, Hostile(forged, without_end) as forger:
        await publish(quick, [honest.url, forger.url])
        with processor(quick, tmp_path) as running:
            async with connector(quick) as service:
                await until(
                    lambda: relay_status(service, forger.url)["state"] == "over_budget", "the forger is paused", 120
                )
                await until(lambda: relay_status(service, honest.url)["crawl"]["done"], "the honest one is read", 120)
                # Paused for a moment is what a full buffer asks for, whichever relay filled it.
                await until(
                    lambda: relay_status(service, honest.url)["state"] in ("live", "connected"), "it is read on"
                )
                status = {name: relay_status(service, each.url) for name, each in (("h", honest), ("f", forger))}
            await all_committed(quick, [(each.partition, b"") for each in await records(quick, "raw.bundles")])
            assert running.popen.poll() is None

    assert status["f"]["forged"] >= FORGED_PER_HOUR
    assert 3000 < status["f"]["retry_in_s"] <= 3600
    # What policy refuses is charged to no relay.
    assert (status["h"]["forged"], status["h"]["refused"]) == (0, 0)

    # What is kept of the relay for its health, and for the next connector.
    covered = await coverage(quick)
    assert (covered[forger.url].copies.forged, covered[honest.url].copies.forged) == (status["f"]["forged"], 0)

    copies = Counter(line.relay for line in await lines(quick))
    at_once = ONE_READ_BYTES // len(verbatim(forged[0]))
    assert copies[forger.url] <= FORGED_PER_HOUR + WAITING_COPIES + at_once
    refused = Counter((rejection.relay, rejection.reason) for rejection, _ in await rejected(quick))
    assert refused[forger.url, Reason.BAD_SIGNATURE] == copies[forger.url]
    assert refused[honest.url, Reason.KIND_NOT_ARCHIVED] >= len(ephemeral)
    assert {event["id"] for event in genuine} == set(await event_ids(quick))


async def test_a_connector_knows_how_far_the_processor_is(quick: Settings, tmp_path: Path) -> None:
    async with Hostile(stored_events(50)) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:

            def lag_s() -> float:
                validation = service.status()["validation"]
                assert isinstance(validation, dict)
                return float(validation["lag_s"])

            await until(lambda: lag_s() > 2 * LAG_S, "the processor lags, for there is none")
            with processor(quick, tmp_path):
                await until(lambda: lag_s() == 0, "it has done with everything")
