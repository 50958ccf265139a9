"""What one relay costs the others is bounded: its place, and what is read of it for nothing."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers.addresses.address_guard import allowed_addresses
from producers.addresses.resolver import open_resolver
from producers.bundler import Bundler
from producers.connector.connection_limits import ConnectionLimits
from producers.connector.coverage.ledger import Ledger
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.connector.relay_model import Model
from producers.connector.session import Session
from producers.connector.shared import Shared
from producers.rejecting import Rejections
from producers.relay_client.dialling import Dialling
from producers.relay_client.frames import FrameReader, parse
from producers.relay_client.refusals import RelayError
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.records.coverage import GapReason
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.dns_server import name_server
from tests.relays.hostile import Hostile, Refusal, honest, say
from tests.unit.producers.sender import Sender
from tests.waiting import until

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})
NOTE = {"id": "b" * 64, "created_at": 1_700_000_000, "kind": 1, "pubkey": "b" * 64, "tags": [], "content": ""}
"""Of a relay that shows it before EOSE, late events are not waited for."""


def shared(slots: ConnectionLimits, dialling: Dialling = DIALLING) -> Shared:
    send_buffer = SendBuffer(Sender(), 1 << 30)
    return Shared(
        send_buffer=send_buffer,
        bundler=Bundler(send_buffer, "bundles", 4),
        rejections=Rejections(send_buffer, "rejections", 4, "connector"),
        slots=slots,
        dialling=dialling,
        filters={"f": Filter()},
        eose_timeout_s=60,
        auth_key=None,
        hold_s=0,
    )


def session(relay: Hostile, common: Shared, refused_bytes: int = 1 << 20) -> Session:
    url = normalize(relay.url, allow_private=True)
    record = RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)
    ledger = Ledger(url.url, {"f": Filter()}, None)
    return Session(record, url, common, budget=Budget(refused_bytes, 100), ledger=ledger, model=Model(10))


async def test_a_relay_whose_reading_never_ends_gives_its_place_to_one_that_waits() -> None:
    async def endless(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        if subid.startswith("live"):
            await honest(relay, websocket, subid, asked)

    async with Hostile([], endless) as greedy, Hostile() as patient:
        common = shared(ConnectionLimits(1, visit_s=0.01, longest_visit_s=0.05))
        running = [asyncio.create_task(session(greedy, common).run())]
        await until(lambda: greedy.requests, "the first relay is read")
        running.append(asyncio.create_task(session(patient, common).run()))
        await until(lambda: patient.requests, "the other relay is read")
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_the_form_of_a_path_that_was_answered_is_dialled_first_from_then_on() -> None:
    async def drops(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        websocket.transport.abort()

    refusal: Refusal = (HTTPStatus.NOT_FOUND, {})
    async with Hostile([], drops, refuse=lambda target: None if target == "/inbox/" else refusal) as relay:
        relay.url += "/inbox"
        running = asyncio.create_task(session(relay, shared(ConnectionLimits(1))).run())
        await until(lambda: relay.connections >= 4, "four connections")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert relay.targets[:4] == ["/inbox", "/inbox/", "/inbox/", "/inbox/"]


async def test_a_relay_that_closes_every_feed_is_crawled_all_the_same() -> None:
    async def queries_only(relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        await honest(relay, websocket, subid, asked)
        if subid.startswith("live"):
            await say(websocket, "CLOSED", subid, "")

    async with Hostile([NOTE], queries_only) as relay:
        its = session(relay, shared(ConnectionLimits(1)))
        running = asyncio.create_task(its.run())
        await until(lambda: its.status()["crawl"]["done"], "the crawl is done")  # type: ignore[index]
        assert its.state == "connected"
        assert its.ledger.cursor_s is None
        assert relay.connections == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.slow
async def test_a_stored_event_above_the_limit_keeps_no_feed_from_opening() -> None:
    """The newest one, a minute old: a feed that asks for stored events meets it before it is open."""
    at_s = int(time.time()) - 60
    giant = {"id": "a" * 64, "created_at": at_s, "kind": 1, "pubkey": "b" * 64, "tags": []}
    async with Hostile([NOTE, giant | {"content": "x" * (2 << 20)}]) as relay:
        its = session(relay, shared(ConnectionLimits(1)), refused_bytes=1 << 30)
        running = asyncio.create_task(its.run())
        # The crawl meets it too, and passes it by.
        await until(lambda: its.status()["crawl"]["done"], "the crawl is done")  # type: ignore[index]
        gaps = its.ledger.record(0).sets[0].gaps
        assert {gap.reason for gap in gaps} == {GapReason.FRAME_TOO_LARGE}
        assert any(gap.since <= at_s <= gap.until for gap in gaps)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_fault_of_ours_costs_one_relay_and_not_the_others() -> None:
    async with Hostile([NOTE]) as good, Hostile() as unlucky:
        unlucky.url = unlucky.url.replace("127.0.0.1", "localhost")

        async def faulty(host: str, *, allow_private: bool) -> list[str]:
            if host == "localhost":
                raise KeyError("a fault of ours")
            return [host]

        common = shared(ConnectionLimits(2), replace(DIALLING, look_up=faulty))
        broken, whole = session(unlucky, common), session(good, common)
        running = [asyncio.create_task(each.run()) for each in (broken, whole)]
        await until(lambda: broken.state == "failed", "the fault is told")
        await until(lambda: whole.status()["crawl"]["done"], "the other is read")  # type: ignore[index]
        assert "a fault of ours" in str(broken.status()["last_error"])
        assert not any(task.done() for task in running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_messages_of_unknown_verbs_are_within_the_budget_too() -> None:
    common = shared(ConnectionLimits(1))
    frames = FrameReader(Intake("wss://relay.example", common.bundler, common.rejections, Budget(1 << 20, 100)))
    frames.take(parse(b'["NOTICE","a relay after all"]'), {})
    for _ in range(100):
        assert frames.take(parse(b'["LIMITS",{}]'), {}) is None
    with pytest.raises(RelayError) as error:
        frames.take(parse(b'["LIMITS",{}]'), {})
    assert error.value.state == "over_budget"
    assert common.send_buffer.bytes == 0


async def test_a_session_ends_at_once_while_its_relay_is_looked_up() -> None:
    async with name_server({}, {"relay.example"}) as server, open_resolver([server.address]) as resolver:
        dialling = replace(DIALLING, look_up=partial(allowed_addresses, resolve=resolver.addresses))
        its = session(Hostile(url="wss://relay.example"), shared(ConnectionLimits(1), dialling))
        running = asyncio.create_task(its.run())
        await until(lambda: server.asked, "the look-up")
        running.cancel()
        ended, _ = await asyncio.wait({running}, timeout=4)
        assert ended
        its.cut()
