"""The check `open`: which step failed, and how a server refuses us."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest
import uvloop
from websockets.asyncio.server import serve

from producers.addresses.address_guard import allowed_addresses
from producers.prober.checks.opening import Opened, check_open
from producers.relay_client.dialling import Dialling
from schemas.records.probe import Cause, OpenCheck
from schemas.relay_urls.relay_url import Network
from tests.broker.secured.certificates import Authority
from tests.relays.hostile import Hostile, Refusal
from tests.relays.stubborn import Way, stubborn
from tests.unit.producers.prober.speaking import DIALLING, target

HASTY = replace(DIALLING, connect_timeout_s=1)


async def opened(url: str, dialling: Dialling = DIALLING, *, allow_private: bool = True) -> Opened:
    found = await check_open(target(url, allow_private=allow_private), dialling)
    if found.connection is not None:
        await found.connection.close()
    return found


def failed(check: OpenCheck) -> tuple[Cause | None, int | None, bool]:
    assert not check.ok
    assert check.took_ms is None
    assert check.error
    return check.cause, check.status, check.address is not None


@pytest.mark.slow
async def test_an_open_websocket_has_its_time_and_address() -> None:
    async with Hostile() as relay:
        found = await opened(relay.url)
    assert (found.check.ok, found.check.cause, found.check.address) == (True, None, "127.0.0.1")
    assert found.check.took_ms is not None
    assert found.clock_difference_s is not None
    assert abs(found.clock_difference_s) < 60
    assert found.headers is not None
    assert "Date" in found.headers


REFUSALS: dict[str, tuple[Refusal, Cause]] = {
    "forbidden": ((HTTPStatus.FORBIDDEN, {}), "forbidden"),
    "unauthorized": ((HTTPStatus.UNAUTHORIZED, {}), "forbidden"),
    "paid": ((HTTPStatus.PAYMENT_REQUIRED, {}), "payment"),
    "too many": ((HTTPStatus.TOO_MANY_REQUESTS, {}), "rate_limited"),
    "busy, and says until when": ((HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "60"}), "rate_limited"),
    "busy, as proxies of dead relays are": ((HTTPStatus.SERVICE_UNAVAILABLE, {}), "handshake"),
    "challenge": ((HTTPStatus.FORBIDDEN, {"cf-mitigated": "challenge"}), "challenge_page"),
    "no such path": ((HTTPStatus.NOT_FOUND, {}), "handshake"),
    "no websocket": ((HTTPStatus.OK, {}), "handshake"),
    "gateway": ((HTTPStatus.BAD_GATEWAY, {}), "handshake"),
    "redirect": ((HTTPStatus.FOUND, {"Location": "wss://elsewhere.example"}), "redirect"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_handshake_says_by_what(name: str) -> None:
    refusal, cause = REFUSALS[name]
    async with Hostile(refuse=lambda _: refusal) as relay:
        found = await opened(relay.url)
    assert failed(found.check) == (cause, refusal[0].value, True)


async def nothing_listens() -> Opened:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return await opened(f"ws://127.0.0.1:{closed.getsockname()[1]}")


async def no_such_name(host: str, *, allow_private: bool) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


async def two_addresses(host: str, *, allow_private: bool) -> list[str]:
    return ["127.0.0.1", "127.9.9.9"]


@asynccontextmanager
async def over_tls(folder: Path) -> AsyncIterator[str]:
    """A relay with a certificate that this host does not trust."""
    pair = Authority(folder).sign("relay")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    async with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0, ssl=context) as server:
        yield f"wss://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def steps(folder: Path) -> None:
    assert failed((await opened("ws://name.example", replace(DIALLING, look_up=no_such_name))).check) == (
        *("dns", None),
        False,
    )
    assert failed((await opened("ws://127.0.0.1:1", allow_private=False)).check) == ("address", None, False)
    assert failed((await opened(f"ws://{'a' * 56}.onion")).check) == ("no_proxy", None, False)
    assert failed((await nothing_listens()).check) == ("connect", None, False)
    async with stubborn(Way.NO_TLS, {}) as relay:
        assert failed((await opened(relay.url, HASTY)).check) == ("tls", None, True)
    async with stubborn(Way.NO_HANDSHAKE, {}) as relay:
        assert failed((await opened(relay.url, HASTY)).check) == ("handshake", None, True)
    async with over_tls(folder) as url:
        assert failed((await opened(url)).check) == ("tls", None, True)
        # The second address has nothing that listens; the first came further.
        port = url.rpartition(":")[2]
        several = replace(DIALLING, look_up=two_addresses)
        found = await opened(f"wss://relay.example:{port}", several)
        assert (found.check.cause, found.check.address) == ("tls", "127.0.0.1")


@pytest.mark.slow
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_step_that_failed_is_named_in_any_loop(loop: object, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        runner.run(steps(tmp_path))


async def test_a_proxy_that_is_away_is_told_from_a_relay_that_is() -> None:
    onion = f"ws://{'a' * 56}.onion"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        away = replace(DIALLING, proxies={Network.TOR: f"socks5://127.0.0.1:{port}"})
        assert failed((await opened(onion, away)).check) == ("no_proxy", None, False)

    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        await reader.readexactly(5 + 62 + 2)
        writer.write(b"\x05\x04\x00\x01" + bytes(6))  # host unreachable
        writer.close()

    async with await asyncio.start_server(refuses, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        there = replace(DIALLING, proxies={Network.TOR: f"socks5://127.0.0.1:{port}"})
        assert failed((await opened(onion, there)).check) == ("connect", None, False)


async def test_an_address_that_does_not_answer_was_not_connected_to() -> None:
    """Names are judged where they are resolved, so a public one that is private after all is refused."""

    async def resolve(host: str) -> list[str]:
        return ["10.1.2.3"]

    dialling = replace(DIALLING, look_up=partial(allowed_addresses, resolve=resolve))
    found = await opened("ws://name.example", dialling, allow_private=False)
    assert failed(found.check) == ("address", None, False)


async def test_an_address_without_a_route_says_nothing_of_the_relay_unless_another_has_one() -> None:
    """The broadcast address stands for IPv6 on a host without it: the system knows no way to it for a connection."""

    def at(*addresses: str) -> Dialling:
        async def look_up(host: str, *, allow_private: bool) -> list[str]:
            return list(addresses)

        return replace(DIALLING, look_up=look_up)

    assert failed((await opened("ws://name.example:1", at("255.255.255.255"))).check) == ("no_route", None, False)
    for addresses in (("255.255.255.255", "127.0.0.1"), ("127.0.0.1", "255.255.255.255")):
        assert failed((await opened("ws://name.example:1", at(*addresses))).check) == ("connect", None, False)
