"""Websockets end where a client sends what costs more than it tells."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from tests.unit.api.connections.serving import (
    BOUNDS,
    CONTINUATION,
    PING,
    SOON_S,
    TEXT,
    UPGRADE,
    connected,
    connections,
    frame,
    running,
)

pytestmark = pytest.mark.slow


TOO_MUCH = [
    (frame(TEXT, b"x" * 10_001), 1009),
    (frame(TEXT, b"", is_last=False) + frame(CONTINUATION, b"", is_last=False) * 100, 1008),
    (frame(TEXT, b"x" * 6000, is_last=False) + frame(CONTINUATION, b"x" * 6000), 1009),
    (frame(TEXT, b"\xff"), 1007),
    (frame(TEXT, b"\xff") + frame(8, b""), 0),
    (frame(3, b""), 1002),
    (b"\xff" * 100, 1002),
    (b"\x81\x05hello", 1002),
    (frame(CONTINUATION, b"x"), 1002),
    (frame(TEXT, b"x", is_last=False) + frame(8, b"\x03\xe8"), 1002),
    (frame(8, b"\x03\xe8"), 1000),
    (frame(8, b"\x00\x01"), 1002),
    (frame(TEXT, b"a") * 70_000, 1008),
    (frame(PING, b"") * 70_000, 1008),
]


async def test_what_is_too_much_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async with running(replace(BOUNDS, acts_per_minute=10_000)) as server:

        async def answer(data: bytes) -> bytes:
            async with connected(server) as raw:
                assert b"101" in await raw.upgrade(b"/echo")
                raw.writer.write(data)
                return await raw.rest()

        answers = [await answer(data) for data, _ in TOO_MUCH]
        await connections(server, 0)
    for (data, code), found in zip(TOO_MUCH, answers, strict=True):
        # Nothing where the system reset the connection, because the server closed it without reading the rest.
        assert not found or code.to_bytes(2, "big")[:code] in found[found.rindex(b"\x88") :], data[:60]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_messages_wait_in_bounded_number() -> None:
    async with running(replace(BOUNDS, waiting_messages=100)) as server, connected(server) as raw:
        await raw.upgrade(b"/deaf")
        raw.writer.write(frame(TEXT, b"a") * 150)
        assert b"\x88" in await raw.rest()
        await connections(server, 0)


async def test_slow_clients_lose_their_place() -> None:
    async with running() as server:

        async def be(upgrade: bytes, then: bytes = b"") -> None:
            async with connected(server) as raw:
                raw.writer.write(upgrade)
                if then:
                    await raw.head()
                    raw.writer.write(then)
                await raw.rest()

        echo = UPGRADE % (b"/echo", b"%s")
        await asyncio.gather(
            be(echo % (b"a: b\r\n" * 150)),
            be(echo % (b"a: " + b"b" * 9000 + b"\r\n")),
            be(UPGRADE % (b"/undecided", b"")),
            be(echo % b"", frame(TEXT, b"hello")[:-1]),
            be(echo % b"", frame(TEXT, b"hello", is_last=False)),
        )
        await connections(server, 0)


async def test_pings_are_not_answered_to_those_who_do_not_read() -> None:
    async with running(replace(BOUNDS, unsent_bytes=100_000)) as server, connected(server) as raw:
        await raw.upgrade(b"/echo")
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        pings = frame(PING, b"x" * 125) * 300
        try:
            async with asyncio.timeout(SOON_S):
                while server.connections:
                    raw.writer.write(pings)
                    await asyncio.sleep(0.01)
        finally:
            assert server.connections == 0


async def test_an_unanswered_ping_ends_what_is_being_sent(caplog: pytest.LogCaptureFixture) -> None:
    async with running(replace(BOUNDS, ping_s=0.2)) as server, connected(server) as raw:
        assert b"101" in await raw.upgrade(b"/talking")
        assert b"\x03\xf3keepalive" in await raw.rest()  # 1011
        await connections(server, 0)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_long_talk_goes_on() -> None:
    async with running(replace(BOUNDS, body_s=0.2)) as server, connected(server) as raw:
        await raw.upgrade(b"/echo")
        for number in range(8):
            following = frame(TEXT, b"next")
            raw.writer.write(frame(TEXT, b"hello") + following[:3])
            assert await asyncio.wait_for(raw.reader.readexactly(7), SOON_S) == b"\x81\x05hello", number
            raw.writer.write(following[3:])
            await asyncio.sleep(0.1)
            assert await asyncio.wait_for(raw.reader.readexactly(6), SOON_S) == b"\x81\x04next"
