"""One websocket to one relay: opened to a judged address, bounded in size, queue and time, with pings of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, cast

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from core.clock import CLOCK
from core.waiting import brief
from producers.outbox import Outbox
from producers.relays.address_guard import AddressRefusedError, allowed_addresses
from producers.relays.push import PushConnection, Receiver
from producers.relays.refusals import HOUR_S, RelayError, refused_upgrade
from producers.relays.spelling import dial_url, form_after
from producers.relays.together import run_together
from schemas.relay_record import RelayRecord
from schemas.relay_url import Network, RelayUrl

DEAD_AFTER_S = 90.0
"""Without a frame or pong, while we read (nostr-facts section 10): three pings of half a minute."""
_CLOSE_TIMEOUT_S = 2.0
"""For the closing handshake; afterwards the socket is cut. Nothing is lost by cutting it."""
_MESSAGE_TOO_BIG = 1009
"""RFC 6455 section 7.4.1."""
USER_AGENT = "bigbrotr (Nostr archive; reads only)"


@dataclass(frozen=True, slots=True)
class Dialling:
    """How connections are opened.

    Attributes:
        connect_timeout_s: for name, socket, TLS and handshake together.
        frame_max_bytes: a longer message closes the connection.
        ping_interval_s: between pings of ours.
        proxies: SOCKS proxy by overlay network; None where none is configured.
    """

    connect_timeout_s: float
    frame_max_bytes: int
    ping_interval_s: float
    proxies: dict[Network, str | None]


class FrameTooLargeError(RelayError):
    """The relay sent a frame above the limit; the connection is gone."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("frame_too_large", f"sent a frame of more than {limit_bytes} bytes")


class RelayConnection:
    """An open websocket. Frames are handed on as they come; any task may send."""

    def __init__(self, websocket: PushConnection, dialling: Dialling, dialled_url: str) -> None:
        """Wrap an open websocket; `open_connection` makes one."""
        self._websocket = websocket
        self._dialling = dialling
        self.dialled_url = dialled_url
        """The spelling of the relay's URL that was answered."""
        self.paused = False
        """Whether frames are left in the socket because Kafka has to catch up."""
        self.heard_at = time.monotonic()
        """When the last frame or pong came, monotonic seconds."""
        self.answered_s = 0.0
        """When the last ping was sent that was answered, wall clock. All that came before the answer is dealt with."""
        self._paused_since_pong = False

    @property
    def complete_until_s(self) -> float:
        """Until when, wall clock, everything that the relay sent is dealt with: the last frame or pong.

        After a pause the relay's own backlog stands before the next pong, so that no frame says anything until then.
        """
        if self._paused_since_pong:
            return self.answered_s
        return max(self.answered_s, CLOCK.now_s() - (time.monotonic() - self.heard_at))

    async def read(self, receiver: Receiver, outbox: Outbox) -> None:
        """Hand every frame to `receiver`, for ever; the socket rests while the outbox is full.

        Raises:
            RelayError: the connection has ended.
            Exception: what `receiver` raised.
        """
        websocket, full = self._websocket, asyncio.Event()

        def after() -> None:
            self.heard_at = time.monotonic()
            if outbox.full:
                self.paused = self._paused_since_pong = True
                websocket.transport.pause_reading()
                full.set()

        websocket.listen(receiver, after)
        await run_together(self._raise_failure(), self._raise_end(), self._pause(full, outbox))

    async def _pause(self, full: asyncio.Event, outbox: Outbox) -> NoReturn:
        while True:
            await full.wait()
            full.clear()
            await outbox.room()
            self.paused = False
            self._websocket.transport.resume_reading()

    async def _raise_failure(self) -> NoReturn:
        raise await self._websocket.failure()

    async def _raise_end(self) -> NoReturn:
        await self._websocket.wait_closed()
        raise self._ended(self._websocket.close_exc)

    async def send(self, message: bytes) -> None:
        """Send one text message.

        Raises:
            RelayError: the connection has ended.
        """
        try:
            await self._websocket.send(message, text=True)
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def keep_alive(self) -> None:
        """Ping for ever.

        Raises:
            RelayError: nothing was heard for too long while we were reading, or the connection has ended.
        """
        while True:
            sent_s = CLOCK.now_s()
            try:
                pong = await self._websocket.ping()
                async with asyncio.timeout(self._dialling.ping_interval_s):
                    await pong
            except ConnectionClosed as error:
                raise self._ended(error) from error
            except TimeoutError:
                # Pongs stand in line behind the frames that we leave in the socket.
                if self.paused:
                    self.heard_at = time.monotonic()
                if time.monotonic() - self.heard_at > DEAD_AFTER_S:
                    raise RelayError("silent", f"nothing was heard for {DEAD_AFTER_S:.0f} s") from None
                continue
            self.heard_at = time.monotonic()
            self.answered_s = sent_s
            self._paused_since_pong = self.paused
            await asyncio.sleep(self._dialling.ping_interval_s)

    async def close(self) -> None:
        """Close, with the handshake if the relay is quick about it. Never raises."""
        try:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self._websocket.close()
        finally:
            # A close with a full queue can hang (websockets issue 1555), and a stop may cut it short.
            self.cut()

    def cut(self) -> None:
        """End the connection at once, whatever it waits for; a close that is under way is over then."""
        self._websocket.transport.abort()

    def _ended(self, error: ConnectionClosed) -> RelayError:
        if error.sent is not None and error.sent.code == _MESSAGE_TOO_BIG:
            return FrameTooLargeError(self._dialling.frame_max_bytes)
        return RelayError("disconnected", f"the connection ended: {brief(error)}")


async def open_connection(record: RelayRecord, url: RelayUrl, dialling: Dialling) -> RelayConnection:
    """Connect to a relay, under the spelling of its record or the one that it names instead.

    Raises:
        RelayError: it cannot be reached now, refuses us, or must not be connected to.
    """
    try:
        async with asyncio.timeout(dialling.connect_timeout_s):
            return await _dial_either(record, url, dialling)
    except TimeoutError:
        raise RelayError("unreachable", f"no connection within {dialling.connect_timeout_s:g} s") from None
    except AddressRefusedError as error:
        raise RelayError("address_refused", str(error), HOUR_S) from error
    except InvalidStatus as error:
        # Joined as HTTP joins repeated fields; `get` of these headers raises where there are several.
        retry_after = ", ".join(error.response.headers.get_all("Retry-After"))
        raise refused_upgrade(error.response.status_code, {"Retry-After": retry_after}, CLOCK.now_s()) from error
    except ImportError as error:
        raise RelayError("no_proxy", f"the proxy cannot be used: {brief(error)}", HOUR_S) from error
    except (OSError, InvalidHandshake, InvalidURI, ValueError, ConnectionClosed) as error:
        # ConnectionClosed: it was gone before the handshake was sent.
        raise RelayError("unreachable", brief(error)) from error


async def _dial_either(record: RelayRecord, url: RelayUrl, dialling: Dialling) -> RelayConnection:
    """Dial one spelling and, where the server does not know that one, another."""
    spelling = dial_url(record)
    try:
        return RelayConnection(await _dial(record, url, spelling, dialling), dialling, spelling)
    except InvalidStatus as refusal:
        response = refusal.response
        other = form_after(spelling, response.status_code, response.headers.get_all("Location"))
        if other is None:
            raise
    return RelayConnection(await _dial(record, url, other, dialling), dialling, other)


async def _dial(record: RelayRecord, url: RelayUrl, spelling: str, dialling: Dialling) -> PushConnection:
    if url.network is not Network.CLEARNET:
        proxy = dialling.proxies.get(url.network)
        if proxy is None:
            raise RelayError("no_proxy", f"no proxy for {url.network} is configured", HOUR_S)
        # The proxy resolves the name, as overlay names must be (socks5h).
        proxy = proxy.replace("socks5://", "socks5h://", 1)
        return await _handshake(url, spelling, dialling, proxy=proxy, address=None)
    error: OSError | None = None
    addresses = await allowed_addresses(url.host, url.port, allow_private=record.allow_private)
    for address in addresses:
        try:
            # Its share of the time: an address that swallows packets (IPv6 without a route) leaves some to the others.
            async with asyncio.timeout(dialling.connect_timeout_s / len(addresses)):
                return await _handshake(url, spelling, dialling, proxy=None, address=address)
        except OSError as failed:
            error = failed
    raise error or OSError("no address")


class _Connect(connect):
    """Never goes where a relay sends it: that is another URL, which nobody has judged, a proxy least of all."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for the refusal of a handshake."""
        return exc


async def _handshake(
    url: RelayUrl, spelling: str, dialling: Dialling, *, proxy: str | None, address: str | None
) -> PushConnection:
    options: dict[str, Any] = {}
    if address is not None:
        # Only where the socket goes: Host header and TLS name stay the URL's.
        options |= {"host": address, "port": url.port}
    if url.scheme == "wss":
        options["ssl"] = _tls()
    websocket = await _Connect(
        spelling,
        create_connection=PushConnection,
        proxy=proxy,
        user_agent_header=USER_AGENT,
        # Compression costs 64 KiB a connection, and an inflated frame is a bomb's only way past a size limit.
        compression=None,
        open_timeout=None,
        ping_interval=None,
        close_timeout=_CLOSE_TIMEOUT_S,
        max_size=dialling.frame_max_bytes,
        **options,
    )
    return cast("PushConnection", websocket)


@cache
def _tls() -> ssl.SSLContext:
    """One context for all: loading the certificate authorities takes 20 ms."""
    return ssl.create_default_context()
