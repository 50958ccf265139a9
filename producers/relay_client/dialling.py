"""Opens connections to relays: to a judged address or through a proxy, under one spelling of the URL or another."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from functools import cache, partial
from http import HTTPStatus
from typing import Any, Protocol, cast

from python_socks import ProxyConnectionError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from core.clock import CLOCK
from core.settings.groups import ConnectorSettings
from core.waiting import brief
from producers.addresses.address_guard import AddressRefusedError, allowed_addresses
from producers.relay_client.attempt import Attempt
from producers.relay_client.connection import CLOSE_TIMEOUT_S, RelayConnection
from producers.relay_client.refusals import HOUR_S, RelayError, refused_upgrade
from producers.relay_client.spelling import dial_url, form_after
from producers.relay_client.stream.websocket import PushConnection
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, RelayUrl

USER_AGENT = "bigbrotr (Nostr archive and relay monitor)"
OVERLAY_PATIENCE = 4.0
"""Times the waits of the clearnet: Tor builds a circuit of six hops in 5 to 30 s, and I2P its tunnels more slowly."""


_DISCARD = 9
"""A port that nothing is sent to: RFC 863."""


class LookUp(Protocol):
    """Names the addresses of a host that may be connected to, as `address_guard.allowed_addresses` does."""

    def __call__(self, host: str, *, allow_private: bool) -> Awaitable[list[str]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Dialling:
    """How connections are opened.

    Attributes:
        connect_timeout_s: for name, socket, TLS and handshake together; `patience` times that in overlay networks.
        frame_max_bytes: a longer message closes the connection.
        ping_interval_s: between pings of ours.
        proxies: SOCKS proxy by overlay network; None where none is configured.
        look_up: judges the addresses too, at each attempt to connect. The default takes literal addresses only.
        user_agent: that the handshake names.
    """

    connect_timeout_s: float
    frame_max_bytes: int
    ping_interval_s: float
    proxies: dict[Network, str | None]
    look_up: LookUp = allowed_addresses
    user_agent: str = USER_AGENT


def overlay_proxies(connector: ConnectorSettings) -> dict[Network, str | None]:
    """The proxies of the settings."""
    return {Network.TOR: connector.tor_proxy, Network.I2P: connector.i2p_proxy, Network.LOKI: connector.loki_proxy}


def patience(network: Network) -> float:
    """How many times as long as on the clearnet an answer is waited for."""
    return 1.0 if network is Network.CLEARNET else OVERLAY_PATIENCE


async def open_connection(
    record: RelayRecord, url: RelayUrl, dialling: Dialling, attempt: Attempt | None = None
) -> RelayConnection:
    """Connect to a relay, under the spelling of its record or the one that it names instead.

    Args:
        record: of the registry.
        url: the same, taken apart.
        dialling: how.
        attempt: tells afterwards how far it came.

    Raises:
        RelayError: it cannot be reached now, refuses us, or must not be connected to.
    """
    timeout_s = dialling.connect_timeout_s * patience(url.network)
    attempt = attempt or Attempt()
    try:
        async with asyncio.timeout(timeout_s):
            return await _dial_either(record, url, dialling, attempt)
    except TimeoutError:
        raise RelayError("unreachable", f"no connection within {timeout_s:g} s") from None
    except AddressRefusedError as error:
        attempt.step = "address"
        remedy = "publish a relay of your own with --allow-private"
        raise RelayError("address_refused", f"{error}; {remedy}", HOUR_S) from error
    except InvalidStatus as error:
        if HTTPStatus.MULTIPLE_CHOICES <= error.response.status_code < HTTPStatus.BAD_REQUEST:
            attempt.step = "redirect"
        # Joined as HTTP joins repeated fields; `get` of these headers raises where there are several.
        retry_after = ", ".join(error.response.headers.get_all("Retry-After"))
        raise refused_upgrade(error.response.status_code, {"Retry-After": retry_after}, CLOCK.now_s()) from error
    except ImportError as error:
        attempt.step = "no_proxy"
        raise RelayError("no_proxy", f"the proxy cannot be used: {brief(error)}", HOUR_S) from error
    except (OSError, InvalidHandshake, InvalidURI, ValueError, ConnectionClosed) as error:
        # ConnectionClosed: it was gone before the handshake was sent.
        raise RelayError("unreachable", brief(error)) from error


async def _dial_either(record: RelayRecord, url: RelayUrl, dialling: Dialling, attempt: Attempt) -> RelayConnection:
    """Dial one spelling and, where the server does not know that one, another."""
    spelling = dial_url(record)
    try:
        return await _dial(record, url, spelling, dialling, attempt)
    except InvalidStatus as refusal:
        response = refusal.response
        other = form_after(spelling, response.status_code, response.headers.get_all("Location"))
        if other is None:
            raise
    return await _dial(record, url, other, dialling, attempt)


async def _dial(
    record: RelayRecord, url: RelayUrl, spelling: str, dialling: Dialling, attempt: Attempt
) -> RelayConnection:
    if url.network is not Network.CLEARNET:
        proxy = dialling.proxies.get(url.network)
        if proxy is None:
            attempt.step = "no_proxy"
            raise RelayError(
                "no_proxy", f"no proxy for {url.network} is configured: set connector.{url.network}_proxy", HOUR_S
            )
        attempt.step = "connect"
        # The proxy resolves the name, as overlay names must be (socks5h).
        proxy = proxy.replace("socks5://", "socks5h://", 1)
        return await _handshake(url, spelling, dialling, attempt, proxy=proxy)
    error: OSError | None = None
    attempt.step = "dns"
    addresses = await dialling.look_up(url.host, allow_private=record.allow_private)
    for address in addresses:
        one = Attempt("connect", address)
        try:
            # Its share of the time: an address that swallows packets (IPv6 without a route) leaves some to the others.
            async with asyncio.timeout(dialling.connect_timeout_s / len(addresses)):
                return await _handshake(url, spelling, dialling, one)
        except OSError as failed:
            if one.step == "connect" and not has_route(address):
                one.step = "no_route"
            # Of an address that answered, rather than of one that this host has no route to.
            if error is None or one.is_beyond(attempt):
                error = failed
        finally:
            attempt.follow(one)
    raise error or OSError("no address")


class _Connect(connect):
    """Never goes where a relay sends it: that is another URL, which was not checked, a proxy least of all."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for the refusal of a handshake."""
        return exc


async def _handshake(
    url: RelayUrl, spelling: str, dialling: Dialling, attempt: Attempt, *, proxy: str | None = None
) -> RelayConnection:
    options: dict[str, Any] = {}
    if attempt.address is not None:
        # Only where the socket goes: Host header and TLS name stay the URL's.
        options["sock"] = await socket_to(attempt.address, url.port)
        attempt.step = "tls" if url.scheme == "wss" else "handshake"
    if url.scheme == "wss":
        options["ssl"] = default_tls()
    try:
        websocket = await _Connect(
            spelling,
            create_connection=cast("type[PushConnection]", partial(PushConnection, opened=attempt.socket_opened)),
            proxy=proxy,
            user_agent_header=dialling.user_agent,
            # Compression costs 64 KiB a connection, and an inflated frame is a bomb's only way past a size limit.
            compression=None,
            open_timeout=None,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=dialling.frame_max_bytes,
            **options,
        )
    except InvalidStatus as refusal:
        attempt.answer = refusal.response
        raise
    except ssl.SSLError:
        attempt.step = "tls"
        raise
    except ProxyConnectionError:
        # The proxy itself cannot be reached; that it finds no relay, it says in its own protocol.
        attempt.step = "no_proxy"
        raise
    if websocket.response is not None:
        attempt.answer = replace(websocket.response, headers=websocket.response.headers.copy())
    for head in (websocket.request, websocket.response):
        if head is not None:
            # Of no use any more, and kept for as long as the connection: 3 KB, or as much as the relay likes.
            head.headers.clear()
    return RelayConnection(
        cast("PushConnection", websocket),
        spelling,
        ping_interval_s=dialling.ping_interval_s,
        frame_max_bytes=dialling.frame_max_bytes,
    )


async def socket_to(address: str, port: int) -> socket.socket:
    """Connect a socket to an address that was judged. It is the caller's, or the transport's that is made of it."""
    # With its protocol named: by that asyncio knows which sockets are to send small messages at once.
    opened = socket.socket(_family(address), socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setblocking(False)  # noqa: FBT003 - the signature is the library's
        await asyncio.get_running_loop().sock_connect(opened, (address, port))
    except BaseException:
        opened.close()
        raise
    return opened


def has_route(address: str) -> bool:
    """Whether this host knows a way to an address: an IPv6 one often not. Only the system is asked; nothing is sent."""
    try:
        with socket.socket(_family(address), socket.SOCK_DGRAM) as asking:
            asking.connect((address, _DISCARD))
    except OSError:
        return False
    return True


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@cache
def default_tls() -> ssl.SSLContext:
    """Trusts the system's authorities. One context for all: loading the certificate authorities takes 20 ms."""
    return ssl.create_default_context()
