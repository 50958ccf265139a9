"""HTTP connections end where requests trickle, answers are not read, or there are too many of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from api.server import ApiServer
from tests.unit.api.connections.serving import BOUNDS, SOON_S, Raw, connected, connections, running

pytestmark = pytest.mark.slow
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def _silent(raw: Raw) -> None:
    await raw.reader.read()


async def _trickled_head(raw: Raw) -> None:
    raw.writer.write(b"GET / HTTP/1.1\r\n")
    for _ in range(20):
        raw.writer.write(b"a: b\r\n")
        await asyncio.sleep(0.05)
    await raw.reader.read()


async def _trickled_second_head(raw: Raw) -> None:
    assert b"200" in await raw.answer(GET)
    await raw.reader.readexactly(len("hello"))
    raw.writer.write(b"G")
    await raw.reader.read()


async def _trickled_body(raw: Raw) -> None:
    raw.writer.write(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(20):
        raw.writer.write(b"x")
        await asyncio.sleep(0.05)
    await raw.reader.read()


async def _body_that_is_not_read(raw: Raw) -> None:
    assert b"200" in await raw.answer(GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 100000000\r\n\r\n"))
    await raw.reader.read()


async def _idle(raw: Raw) -> None:
    assert b"200" in await raw.answer(GET)
    await raw.reader.read()


async def _unread_answer(raw: Raw) -> None:
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    raw.writer.write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.Event().wait()


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_slow_clients_lose_their_place(is_stopped: bool) -> None:
    async with running() as server:

        async def be(client: Callable[[Raw], Awaitable[None]]) -> None:
            async with connected(server) as raw:
                await client(raw)

        slow = [
            _silent, _trickled_head, _trickled_second_head, _trickled_body, _body_that_is_not_read, _idle,
            _unread_answer,
        ]  # fmt: skip
        clients = [asyncio.create_task(be(each)) for each in slow]
        await connections(server, len(slow))
        if not is_stopped:
            await connections(server, 0)
    assert server.connections == 0
    for task in clients:
        task.cancel()
    for ended in await asyncio.gather(*clients, return_exceptions=True):
        assert ended is None or isinstance(ended, ConnectionError | asyncio.CancelledError)


async def test_a_reader_that_is_slow_enough_is_served() -> None:
    """`read_bytes` in `read_s`, in many of these."""
    async with running(replace(BOUNDS, read_s=0.9, read_bytes=1000)) as server, connected(server) as raw:
        raw.writer.write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(20):
            await raw.reader.readexactly(200_000)
            await asyncio.sleep(0.1)
        assert server.connections == 1


NO_HTTP = [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 400_000 + b"\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"431"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 60_000 + b"\r\n", b"400"),
    (b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n", b""),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"404"),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + b"\x16" * 1000, b"404"),
    (GET * 3 + b"\0", b"200"),
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", b"404"),
    (b"GET http://other/ HTTP/1.0\r\n\r\n", b"404"),
]


async def test_what_is_no_http_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:

        async def status(data: bytes) -> bytes:
            async with connected(server) as raw:
                raw.writer.write(data)
                return (await raw.rest())[9:12]

        statuses = await asyncio.gather(*[status(data) for data, _ in NO_HTTP])
        await connections(server, 0)
    for (data, expected), found in zip(NO_HTTP, statuses, strict=True):
        # Nothing where the system reset the connection, because the server closed it without reading the rest.
        assert found in {expected, b""}, data[:60]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_there_are_no_more_connections_than_allowed() -> None:
    async with running(replace(BOUNDS, client_connections=2, head_s=SOON_S)) as server:
        async with connected(server), connected(server), connected(server) as third:
            assert (await third.head()).startswith(b"HTTP/1.1 429 ")
            assert b'"detail":"2 of your connections are open; close one first"' in await third.rest()
            assert server.connections == 2
        await connections(server, 0)
        async with connected(server) as again:
            assert b"200" in await again.answer(GET)
    async with (
        running(replace(BOUNDS, connections=1, head_s=SOON_S)) as server,
        connected(server),
        connected(server) as second,
    ):
        assert (await second.head()).startswith(b"HTTP/1.1 503 ")


async def test_behind_a_proxy_a_client_is_whom_it_names() -> None:
    bounds = replace(BOUNDS, client_connections=1, head_s=SOON_S)
    async with running(bounds, trusted=("127.0.0.0/8",)) as server:
        async with connected(server) as one, connected(server) as same, connected(server) as other:
            assert b"101" in await one.upgrade(b"/echo", b"X-Forwarded-For: 192.0.2.1\r\n")
            assert b"429" in await same.upgrade(b"/echo", b"X-Forwarded-For: 192.0.2.1\r\n")
            assert b"101" in await other.upgrade(b"/echo", b"X-Forwarded-For: 192.0.2.2\r\n")
        await connections(server, 0)
        async with connected(server) as again:
            assert b"101" in await again.upgrade(b"/echo", b"X-Forwarded-For: 192.0.2.1\r\n")


async def _statuses(server: ApiServer, data: bytes) -> list[bytes]:
    async with connected(server) as raw:
        raw.writer.write(data)
        raw.writer.write_eof()
        return [part.split(b" ", 1)[0] for part in (await raw.rest()).split(b"HTTP/1.1 ")[1:]]


async def test_a_flood_of_requests_is_charged_to_its_client() -> None:
    async with running(replace(BOUNDS, acts_per_minute=20), trusted=("127.0.0.1",)) as server:
        flood = [b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"] * 100
        statuses = await _statuses(server, b"".join(flood))
        assert statuses[:20] == [b"200"] * 20
        assert statuses[-1] == b"429"
        assert len(statuses) < 30
        other = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.2\r\nConnection: close\r\n\r\n"
        assert await _statuses(server, other) == [b"200"]


async def test_what_waits_for_all_readers_is_bounded() -> None:
    async with running(replace(BOUNDS, read_s=SOON_S, all_unsent_bytes=1000)) as server, connected(server) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        raw.writer.write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        await connections(server, 1)
        await connections(server, 0)
