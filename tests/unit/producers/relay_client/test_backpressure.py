"""A connection to a real websocket server: it rests while Kafka has to catch up, and goes only where it may."""

from __future__ import annotations

import asyncio

import pytest

from producers.bundler import Bundler
from producers.connector.reading.budget import Budget
from producers.connector.reading.intake import Intake
from producers.rejecting import Rejections
from producers.relay_client.client import RelayClient
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.frames import FrameReader
from producers.relay_client.refusals import RelayError
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.records.bundle import decode_lines
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, RelayUrl, normalize
from tests.relays import hostile
from tests.relays.hostile import Hostile
from tests.unit.producers.sender import Sender, turns
from tests.waiting import until

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})
BOUND = 50_000


def record(url: RelayUrl, *, allow_private: bool = True) -> RelayRecord:
    return RelayRecord(url=url.url, network=url.network, source="test", allow_private=allow_private, updated_at_ms=0)


def events(count: int) -> list[dict[str, object]]:
    return [
        {"id": f"{number:064x}", "created_at": 1_700_000_000 + number, "kind": 1, "content": "x" * 1000}
        for number in range(count)
    ]


@pytest.mark.slow
async def test_the_socket_rests_while_too_much_is_unacknowledged() -> None:
    sender = Sender()
    send_buffer = SendBuffer(sender, in_flight_bytes=BOUND)
    running = asyncio.create_task(send_buffer.run())
    bundler = Bundler(send_buffer, "bundles", 4, lines=5)
    async with Hostile(events(100), hostile.flood) as relay:
        url = normalize(relay.url, allow_private=True)
        intake = Intake(
            url.url, bundler, Rejections(send_buffer, "rejections", 4, "connector"), Budget(1 << 30, 1 << 30)
        )
        connection = await open_connection(record(url), url, DIALLING)
        frames = FrameReader(intake)
        client = RelayClient(url.url, connection, frames, send_buffer)
        reading = asyncio.create_task(client.read())
        await client.subscribe(Filter(since=0, limit=100))
        for _ in range(3):
            await until(lambda: connection.paused, "a pause")
            held = frames.received
            # Many turns of the loop, while the relay goes on sending: nothing more is taken.
            for _ in range(50):
                await asyncio.sleep(0.001)
            assert frames.received == held
            # One read of the socket is dealt with before the pause.
            assert send_buffer.bytes < BOUND + 512 * 1024
            assert not reading.done()
            sender.acknowledge()

            def has_read_more(held: int = held) -> bool:
                return frames.received > held

            await until(has_read_more, "more is read")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await connection.close()
        flushing = asyncio.create_task(bundler.flushed())
        while not flushing.done():
            sender.acknowledge()
            await turns()
    lines = [line for sent in sender.sent for line in decode_lines(sent.value)]
    assert len(lines) == frames.received
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_address_is_judged_at_connect_time() -> None:
    async with Hostile() as relay:
        url = normalize(relay.url, allow_private=True)
        with pytest.raises(RelayError, match="no public address") as error:
            await open_connection(record(url, allow_private=False), url, DIALLING)
        assert error.value.state == "address_refused"
        assert relay.connections == 0


async def test_an_overlay_is_never_reached_without_its_proxy() -> None:
    url = RelayUrl(f"ws://{'a' * 56}.onion", f"{'a' * 56}.onion", 80, "ws", Network.TOR)
    with pytest.raises(RelayError, match="no proxy for tor") as error:
        await open_connection(record(url), url, DIALLING)
    assert error.value.state == "no_proxy"
