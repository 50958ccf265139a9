"""How far a live feed is complete is told by what was dealt with, and never by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from producers.relay_client.connection import RelayConnection
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.unasked import Unasked
from producers.send_buffer import SendBuffer
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.hostile import Hostile, say
from tests.unit.producers.sender import Sender
from tests.waiting import until

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})
QUIET_S = 0.2  # nothing is waited for here: a clock that counts as progress would have moved by this much


def free(what: Unasked, size_bytes: int) -> None:
    """Charge nothing."""


@asynccontextmanager
async def connected(relay: Hostile) -> AsyncIterator[RelayConnection]:
    url = normalize(relay.url, allow_private=True)
    record = RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)
    connection = await open_connection(record, url, DIALLING)
    try:
        yield connection
    finally:
        await connection.close()


async def test_silence_is_no_progress_and_a_frame_is() -> None:
    frames: list[bytes] = []
    async with Hostile() as relay, connected(relay) as connection:
        unlimited = SendBuffer(Sender(), in_flight_bytes=1000)
        reading = asyncio.create_task(connection.read(frames.append, unlimited, free))
        await connection.send(b'["REQ","live-1",{"limit":1}]')
        await until(lambda: len(frames) == 1, "the answer to the request")
        heard = connection.complete_until_s
        await asyncio.sleep(QUIET_S)
        assert abs(connection.complete_until_s - heard) < QUIET_S / 2
        await say(relay.live[0][0], "NOTICE", "here I am")
        await until(lambda: len(frames) == 2, "the notice")
        assert connection.complete_until_s > heard + QUIET_S / 2
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_after_a_pause_only_a_pong_says_that_all_before_it_was_dealt_with() -> None:
    sender, frames = Sender(), 0
    send_buffer = SendBuffer(sender, in_flight_bytes=1000)

    def take(frame: bytes) -> None:
        nonlocal frames
        frames += 1
        send_buffer.put("t", frame, partition=0)

    async with Hostile() as relay, connected(relay) as connection:
        tasks = [asyncio.create_task(send_buffer.run()), asyncio.create_task(connection.read(take, send_buffer, free))]
        await connection.send(b'["REQ","live-1",{"limit":1}]')
        await until(lambda: frames == 1, "the answer to the request")
        before = connection.complete_until_s
        await say(relay.live[0][0], "NOTICE", "x" * 1000)
        await until(lambda: connection.paused, "a pause")
        assert connection.complete_until_s < before
        await until(lambda: len(sender.sent) == frames, "every frame is sent on")
        sender.acknowledge()
        await until(lambda: not connection.paused, "the end of the pause")
        # What the relay has sent meanwhile may still be on its way, whatever comes first.
        await say(relay.live[0][0], "NOTICE", "one of many that wait")
        await until(lambda: frames == 3, "the third frame")
        assert connection.complete_until_s < before
        tasks.append(asyncio.create_task(connection.keep_alive()))
        await until(lambda: connection.complete_until_s > before, "a pong")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_no_time_passes_in_silence_while_frames_are_left_in_the_socket() -> None:
    sender = Sender()
    send_buffer = SendBuffer(sender, in_flight_bytes=1)
    async with Hostile() as relay, connected(relay) as connection:
        tasks = [
            asyncio.create_task(send_buffer.run()),
            asyncio.create_task(
                connection.read(lambda frame: send_buffer.put("t", frame, partition=0), send_buffer, free)
            ),
        ]
        began_s = loop_s()
        await connection.send(b'["REQ","live-1",{"limit":1}]')
        await until(lambda: connection.paused, "a pause")
        await asyncio.sleep(QUIET_S)
        assert connection.silent_s(began_s) == 0
        sender.acknowledge()
        await until(lambda: not connection.paused, "the end of the pause")
        assert connection.silent_s(began_s) < loop_s() - began_s - QUIET_S
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
