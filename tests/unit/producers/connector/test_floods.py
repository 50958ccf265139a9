"""A relay that floods with anything but events is charged, left and paused, while others are read as ever."""

from __future__ import annotations

import asyncio

import pytest
from websockets.frames import Opcode

from producers.connector.connection_limits import ConnectionLimits
from producers.connector.coverage.ledger import Ledger
from producers.connector.reading.budget import Budget
from producers.connector.relay_model import Model
from producers.connector.session import Session
from schemas.nostr.filters import Filter
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.flooding import flooding
from tests.relays.hostile import Hostile
from tests.unit.producers.connector.test_turns import NOTE, shared
from tests.unit.producers.relay_client.test_websocket import frame
from tests.waiting import until

pytestmark = pytest.mark.slow
REFUSED_EVENTS = 2000
FLOODS = {
    "empty pongs": frame(Opcode.PONG, b""),
    "pings": frame(Opcode.PING, b"x" * 125),
    "notices": frame(Opcode.TEXT, b'["NOTICE","look at me"]'),
    "challenges": frame(Opcode.TEXT, b'["AUTH","again"]'),
    "OKs": frame(Opcode.TEXT, b'["OK","%b",true,""]' % (b"a" * 64)),
    "EOSEs": frame(Opcode.TEXT, b'["EOSE","live-1"]'),
    "parts of reconciliations": frame(Opcode.TEXT, b'["NEG-MSG","neg-1","61"]'),
    "unknown messages": frame(Opcode.TEXT, b'["NOTICE","a relay"]') + frame(Opcode.TEXT, b'["LIMITS",{}]') * 1000,
    "no messages": frame(Opcode.TEXT, b'["NOTICE","a relay"]') + frame(Opcode.TEXT, b"") * 1000,
    "fragments of a byte": frame(Opcode.TEXT, b"[", fin=False) + frame(Opcode.CONT, b" ", fin=False) * 4000,
}


def session(url: str, budget: Budget) -> Session:
    at = normalize(url, allow_private=True)
    record = RelayRecord(url=at.url, network=at.network, source="test", allow_private=True, updated_at_ms=0)
    ledger = Ledger(at.url, {"f": Filter()}, None)
    return Session(record, at, shared(ConnectionLimits(4)), budget=budget, ledger=ledger, model=Model(10))


@pytest.mark.parametrize("what", list(FLOODS))
async def test_a_relay_that_floods_is_left_and_others_are_read(what: str) -> None:
    async with flooding(FLOODS[what]) as hostile, Hostile([NOTE]) as honest:
        flooded = session(hostile.url, Budget(1 << 30, REFUSED_EVENTS))
        other = session(honest.url, Budget(1 << 30, REFUSED_EVENTS))
        running = [asyncio.create_task(each.run()) for each in (flooded, other)]
        await until(lambda: flooded.state == "over_budget", "the relay is left")
        assert hostile.connections == 1
        assert flooded.status()["retry_in_s"] > 3000  # type: ignore[operator]
        await until(lambda: other.status()["crawl"]["done"], "the other is read")  # type: ignore[index]
        assert other.status()["refused"] == 0
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_small_input_is_charged_by_the_frame() -> None:
    """An empty frame costs the time of a small event, so bytes alone would allow a million of them."""
    async with flooding(FLOODS["empty pongs"]) as hostile:
        flooded = session(hostile.url, Budget(1 << 20, 1 << 30))
        running = asyncio.create_task(flooded.run())
        await until(lambda: flooded.state == "over_budget", "the relay is left")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
