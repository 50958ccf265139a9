"""Connecting: what a relay or its host can do wrong is a state to wait in, and never leads elsewhere."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from http import HTTPStatus

import pytest
import uvloop

from producers.relays import connection as connection_module
from producers.relays.connection import Dialling, open_connection
from producers.relays.refusals import RelayError
from schemas.relay_record import RelayRecord
from schemas.relay_url import Network, RelayUrl, normalize
from tests.relays.hostile import Hostile
from tests.relays.socks import socks_proxy

DIALLING = Dialling(connect_timeout_s=4, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})


def record(url: RelayUrl) -> RelayRecord:
    return RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)


async def test_a_redirect_is_not_followed_through_a_proxy() -> None:
    url = normalize(f"ws://{'a' * 56}.onion")
    elsewhere = {"Location": "ws://192.168.1.1/admin"}
    async with (
        Hostile(refusals=[(HTTPStatus.FOUND, elsewhere)] * 2) as relay,
        socks_proxy(normalize(relay.url, allow_private=True).port) as (proxy, asked),
    ):
        dialling = Dialling(4, 1 << 20, 30, {Network.TOR: proxy})
        with pytest.raises(RelayError, match="HTTP 302"):
            await open_connection(record(url), url, dialling)
    assert asked == [url.host]


async def test_a_redirect_to_itself_is_not_followed() -> None:
    async with Hostile(refusals=[(HTTPStatus.FOUND, {"Location": "/other"})]) as relay:
        url = normalize(relay.url, allow_private=True)
        with pytest.raises(RelayError, match="HTTP 302"):
            await open_connection(record(url), url, DIALLING)
        assert relay.connections == 1


def test_a_host_that_drops_what_it_accepts_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drop() -> None:
            while True:
                try:
                    accepted, _ = server.accept()
                except OSError:
                    return
                accepted.close()

        thread = threading.Thread(target=drop)
        thread.start()
        url = normalize(f"ws://127.0.0.1:{server.getsockname()[1]}", allow_private=True)

        async def attempt() -> list[object]:
            errors: list[object] = []
            for _ in range(20):
                attempts = [open_connection(record(url), url, DIALLING) for _ in range(10)]
                errors += await asyncio.gather(*attempts, return_exceptions=True)
            return errors

        # The loop that services run on: it may tell of the end before the handshake was sent.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            errors = runner.run(attempt())
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert {type(error) for error in errors} == {RelayError}
    assert {error.state for error in errors if isinstance(error, RelayError)} == {"unreachable"}


async def test_an_address_that_never_answers_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolved(host: str, port: int, *, allow_private: bool) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(connection_module, "allowed_addresses", resolved)
    async with Hostile() as relay:
        url = normalize(relay.url, allow_private=True)
        with socket.create_server(("127.0.0.2", url.port)):
            connection = await open_connection(record(url), url, DIALLING)
            await connection.close()
        assert relay.connections == 1


def test_a_name_server_that_never_answers_does_not_hold_up_the_end_of_the_process() -> None:
    program = (
        "import asyncio, socket, time\n"
        "from producers.relays import address_guard\n"
        "socket.getaddrinfo = lambda *_, **__: time.sleep(600)\n"
        "async def look_up():\n"
        "    async with asyncio.timeout(0.2):\n"
        "        await address_guard.allowed_addresses('relay.example', 443, allow_private=False)\n"
        "try:\n"
        "    asyncio.run(look_up())\n"
        "except TimeoutError:\n"
        "    print('given up')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert ended.stdout == b"given up\n"
