"""Connecting: what a relay or its host can do wrong is a state to wait in, and never leads elsewhere."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

import pytest
import uvloop
from websockets.datastructures import Headers

from producers.addresses.address_guard import AddressRefusedError
from producers.relay_client.dialling import Dialling, open_connection, socket_to
from producers.relay_client.refusals import RelayError
from producers.send_buffer import SendBuffer
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, RelayUrl, normalize
from tests.relays.hostile import Hostile, Refusal
from tests.relays.socks import socks_proxy
from tests.relays.stubborn import Way, stubborn
from tests.unit.producers.sender import Sender

DIALLING = Dialling(connect_timeout_s=4, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})


MOVED, MOVED_FOR_GOOD, GONE = HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT, HTTPStatus.NOT_FOUND


def record(url: RelayUrl) -> RelayRecord:
    return RelayRecord(
        url=url.url, spelling=url.spelling, network=url.network, source="test", allow_private=True, updated_at_ms=0
    )


def only_at(target: str, status: HTTPStatus = GONE, location: str | None = None) -> Callable[[str], Refusal | None]:
    """What a server says of every path and query but one."""
    headers = {} if location is None else {"Location": location}
    return lambda asked: None if asked == target else (status, headers)


async def dial(relay: Hostile, given: str, dialling: Dialling = DIALLING) -> str:
    """Dial a path of a relay; what was answered."""
    url = normalize(f"{relay.url}{given}", allow_private=True)
    connection = await open_connection(record(url), url, dialling)
    connection.cut()
    return connection.dialled_url.removeprefix(relay.url)


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


@pytest.mark.parametrize("given", ["/inbox/", "/inbox", "/inbox/?token=%7eA/&b", "//inbox//", "/%7Eme/", "", "/?x=1"])
async def test_a_path_is_dialled_as_it_was_given(given: str) -> None:
    async with Hostile() as relay:
        assert await dial(relay, given) == given
        assert relay.targets == [given or "/"]


@pytest.mark.parametrize(
    ("given", "served"),
    [
        ("/inbox", "/inbox/"),
        ("/inbox/", "/inbox"),
        ("/inbox?a=%7e/&B=2", "/inbox/?a=%7e/&B=2"),
        ("//inbox", "/inbox"),
    ],
)
async def test_what_is_not_found_is_found_in_its_other_form(given: str, served: str) -> None:
    async with Hostile(refuse=only_at(served)) as relay:
        assert await dial(relay, given) == served
        assert relay.targets == [given, served]


@pytest.mark.parametrize("status", [MOVED, MOVED_FOR_GOOD])
@pytest.mark.parametrize(
    "location", ["/inbox/?a=1", "inbox/?a=1", "http://{host}/inbox/?a=1", "ws://{host}/inbox/?a=1"]
)
async def test_a_redirect_to_the_other_form_is_followed(status: HTTPStatus, location: str) -> None:
    async with Hostile() as relay:
        host = relay.url.removeprefix("ws://")
        relay.refuse = only_at("/inbox/?a=1", status, location.format(host=host))
        assert await dial(relay, "/inbox?a=1") == "/inbox/?a=1"
        assert relay.targets == ["/inbox?a=1", "/inbox/?a=1"]


@pytest.mark.parametrize("status", [MOVED, MOVED_FOR_GOOD])
@pytest.mark.parametrize(
    "location",
    ["http://{other}/inbox/", "ws://{other}/inbox/", "/elsewhere/", "/inbox", "/inbox/?more", "wss://{host}/inbox/"],
)
async def test_a_redirect_to_another_place_is_a_refusal(status: HTTPStatus, location: str) -> None:
    async with Hostile() as relay, Hostile() as other:
        host, elsewhere = relay.url.removeprefix("ws://"), other.url.removeprefix("ws://")
        relay.refuse = only_at("/inbox/", status, location.format(host=host, other=elsewhere))
        with pytest.raises(RelayError, match=f"HTTP {status.value}"):
            await dial(relay, "/inbox")
        assert relay.targets == ["/inbox"]
        assert other.connections == 0


async def test_each_form_is_tried_once() -> None:
    async with Hostile(refuse=lambda target: (GONE, {})) as nowhere:
        with pytest.raises(RelayError, match="HTTP 404") as refused:
            await dial(nowhere, "/inbox/")
        assert refused.value.state == "not_a_relay"
        assert nowhere.targets == ["/inbox/", "/inbox"]
        nowhere.targets.clear()
        with pytest.raises(RelayError, match="HTTP 404"):
            await dial(nowhere, "/")
        assert nowhere.targets == ["/"]
    async with Hostile(
        refuse=lambda target: (MOVED, {"Location": "/inbox" if target.endswith("/") else "/inbox/"})
    ) as loop:
        with pytest.raises(RelayError, match="HTTP 301"):
            await dial(loop, "/inbox")
        assert loop.targets == ["/inbox", "/inbox/"]


async def test_the_other_form_is_what_decides_when_to_come_back() -> None:
    busy = (HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": "7"})
    async with Hostile(refuse=lambda target: busy if target == "/inbox" else (GONE, {})) as relay:
        with pytest.raises(RelayError, match="HTTP 429") as refused:
            await dial(relay, "/inbox/")
    assert (refused.value.state, refused.value.wait_s) == ("rate_limited", 7)


@pytest.mark.slow
async def test_both_forms_go_through_the_proxy() -> None:
    url = normalize(f"ws://{'a' * 56}.onion/inbox")
    async with (
        Hostile(refuse=only_at("/inbox/")) as relay,
        socks_proxy(normalize(relay.url, allow_private=True).port) as (proxy, asked),
    ):
        connection = await open_connection(record(url), url, Dialling(4, 1 << 20, 30, {Network.TOR: proxy}))
        await connection.close()
    assert connection.dialled_url == f"{url.url}/"
    assert asked == [url.host] * 2


async def test_each_form_is_dialled_at_an_address_that_was_judged() -> None:
    """The name means another address the second time: a private one, where none is allowed."""
    looked_up = 0

    async def resolved(host: str, *, allow_private: bool) -> list[str]:
        nonlocal looked_up
        looked_up += 1
        if looked_up > 1:
            raise AddressRefusedError("relay.example resolves to 10.0.0.1, no public address")
        return ["127.0.0.1"]

    async with Hostile(refuse=only_at("/inbox/")) as relay:
        with pytest.raises(RelayError, match="no public address") as refused:
            await dial(relay, "/inbox", replace(DIALLING, look_up=resolved))
        assert refused.value.state == "address_refused"
        assert relay.targets == ["/inbox"]


async def test_repeated_headers_of_a_refusal_are_no_failure() -> None:
    async with Hostile(refusals=[(HTTPStatus.SERVICE_UNAVAILABLE, Headers([("Retry-After", "5")] * 2))]) as relay:
        with pytest.raises(RelayError, match="HTTP 503"):
            await dial(relay, "")
    async with Hostile(refusals=[(MOVED, Headers([("Location", "/inbox/")] * 2))]) as relay:
        with pytest.raises(RelayError, match="HTTP 301"):
            await dial(relay, "/inbox")


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


@pytest.mark.slow
async def test_an_address_that_never_answers_leaves_time_for_the_next() -> None:
    async def resolved(host: str, *, allow_private: bool) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with Hostile() as relay:
        url = normalize(relay.url, allow_private=True)
        with socket.create_server(("127.0.0.2", url.port)) as silent:
            connection = await open_connection(record(url), url, replace(DIALLING, look_up=resolved))
            connection.cut()
            silent.settimeout(0)
            silent.accept()[0].close()  # it was tried
        assert relay.connections == 1


def test_a_name_server_that_never_answers_does_not_hold_up_the_end_of_the_process() -> None:
    program = (
        "import asyncio, sys\n"
        "from producers.addresses.resolver import open_resolver\n"
        "async def look_up():\n"
        "    async with open_resolver([sys.argv[1]]) as resolver, asyncio.timeout(0.2):\n"
        "        await resolver.addresses('relay.example')\n"
        "try:\n"
        "    asyncio.run(look_up())\n"
        "except TimeoutError:\n"
        "    print('given up')\n"
    )
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-W", "error", "-c", program, address]
        ended = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == (b"given up\n", b"")


async def test_a_connection_is_cut_while_it_closes_and_nothing_of_it_can_be_sent() -> None:
    """To a relay that reads no more, with what it was asked waiting in the buffer."""
    ended = asyncio.Event()

    async with stubborn(Way.NO_READING, {}) as relay:
        url = normalize(relay.url, allow_private=True)
        connection = await open_connection(record(url), url, DIALLING)
        reading = asyncio.create_task(connection.read(lambda _: None, SendBuffer(Sender(), 1 << 20), lambda *_: None))

        async def ask_without_end() -> None:
            while True:
                await connection.send(b'["REQ","live-1",{"ids":["' + b"a" * 65_536 + b'"]}]')

        asking = asyncio.create_task(ask_without_end())
        while relay.live == 0:  # noqa: ASYNC110 - the far side is a socket
            await asyncio.sleep(0.001)
        closing = asyncio.create_task(connection.close())
        closing.add_done_callback(lambda _: ended.set())
        await asyncio.sleep(0)
        assert not ended.is_set()
        connection.cut()
        done, pending = await asyncio.wait({closing, asking, reading}, timeout=1)
        assert (len(done), len(pending)) == (3, 0)
        for each in (asking, reading):
            with pytest.raises(RelayError):
                await each


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_small_messages_are_sent_at_once_in_any_loop(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """asyncio sees to that only for sockets that name their protocol."""

    async def no_delay() -> int:
        async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0) as server:
            opened = await socket_to("127.0.0.1", server.sockets[0].getsockname()[1])
            _, writer = await asyncio.open_connection(sock=opened)
            option: int = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            await writer.wait_closed()
            return option

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(no_delay())
