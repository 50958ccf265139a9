"""A priority relay is read to its end while regular ones wait for the room that it has for itself."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from producers.bundler import Bundler
from producers.connector.connection_limits import ConnectionLimits
from producers.connector.coverage.ledger import Ledger
from producers.connector.reading.budget import Budget
from producers.connector.relay_model import Model
from producers.connector.session import Session
from producers.connector.shared import Shared
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.records.relay import Lane, RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.hostile import Hostile, say
from tests.unit.producers.connector.test_relay_judge import written
from tests.unit.producers.connector.test_turns import shared
from tests.unit.producers.sender import Sender
from tests.waiting import until

REGULAR = 25
ROOM_BYTES = 64 << 10
"""For the first pages of the regular relays, and not for their second ones."""
EVENTS = [json.loads(written(str(number), created_at=1_700_000_000 + number)) for number in range(300)]


def session(relay: Hostile, common: Shared, lane: Lane) -> Session:
    url = normalize(relay.url, allow_private=True)
    record = RelayRecord(
        url=url.url, network=url.network, source="test", lane=lane, allow_private=True, updated_at_ms=0
    )
    ledger = Ledger(url.url, {"f": Filter()}, None)
    return Session(record, url, common, budget=Budget(1 << 30, 1 << 30), ledger=ledger, model=Model(100))


def done(its: Session) -> bool:
    return bool(its.status()["crawl"]["done"])  # type: ignore[index]


@pytest.mark.slow
async def test_a_priority_relay_that_comes_late_is_read_while_kafka_takes_nothing_of_the_others() -> None:
    sender = Sender()
    send_buffer = SendBuffer(sender, ROOM_BYTES, 4 * ROOM_BYTES)
    limits = ConnectionLimits(2 * REGULAR)
    common = replace(shared(limits), send_buffer=send_buffer, bundler=Bundler(send_buffer, "bundles", 4, lines=1))
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as running:
        tasks = [running.create_task(send_buffer.run())]
        crowd = [await stack.enter_async_context(Hostile(EVENTS)) for _ in range(REGULAR)]
        late = await stack.enter_async_context(Hostile(EVENTS))
        regular = [session(relay, common, "regular") for relay in crowd]
        tasks += [running.create_task(its.run()) for its in regular]
        await until(lambda: send_buffer.full, "there is no room for regular relays")

        priority = session(late, common, "priority")
        tasks.append(running.create_task(priority.run()))
        await until(lambda: done(priority), "the priority relay is read to its end")
        assert not any(done(its) for its in regular)
        received = int(str(priority.status()["received"]))
        assert received >= len(EVENTS)
        websocket, subid = late.live[-1]
        await say(websocket, "EVENT", subid, json.loads(written("now", created_at=int(time.time()))))
        await until(lambda: priority.status()["received"] == received + 1, "its live feed goes on")

        def acknowledged() -> bool:
            sender.acknowledge()
            return all(done(its) for its in regular)

        await until(acknowledged, "the others are read as Kafka takes what they send")
        assert priority.state == "live"
        for task in tasks:
            task.cancel()
    common.judges.close()
