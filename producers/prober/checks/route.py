"""The way to a relay for checks that speak no websocket: to a judged address, or through the proxy of a network."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field

from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

from producers.relay_client.dialling import Dialling, default_tls, socket_to
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, RelayUrl


@dataclass(frozen=True, slots=True)
class Route:
    """How a relay is reached.

    Attributes:
        record: says whether private addresses are allowed, and how the URL is spelled.
        url: of the relay.
        dialling: names and judges addresses, and knows the proxies.
        address: that the websocket was opened to, so that the same server is asked; it is judged again. None: any.
        tls: trusts the authorities of the system, or others.
    """

    record: RelayRecord
    url: RelayUrl
    dialling: Dialling
    address: str | None = None
    tls: ssl.SSLContext = field(default_factory=default_tls)

    async def open(self, timeout_s: float) -> socket.socket:
        """Connect a socket, without TLS; the caller closes it.

        Args:
            timeout_s: shared by the addresses of the host. The caller has a deadline for the whole.

        Raises:
            AddressRefusedError: the relay has no address that may be connected to.
            OSError: it cannot be reached: no such name, no answer, or a proxy that fails.
        """
        if self.url.network is not Network.CLEARNET:
            return await self._through(self.dialling.proxies.get(self.url.network))
        host = self.address or self.url.host
        addresses = await self.dialling.look_up(host, allow_private=self.record.allow_private)
        error: OSError | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(timeout_s / len(addresses)):
                    return await socket_to(address, self.url.port)
            except OSError as failed:
                error = failed
        raise error or OSError("no address")

    async def _through(self, proxy: str | None) -> socket.socket:
        network = self.url.network
        if proxy is None:
            raise OSError(f"no proxy for {network} is configured: set connector.{network}_proxy")
        try:
            # The proxy resolves the name, as overlay names must be.
            client = Proxy.from_url(proxy.replace("socks5h://", "socks5://", 1), rdns=True)
            return await client.connect(self.url.host, self.url.port)
        except ProxyError as error:
            raise OSError(f"the proxy for {network}: {error}") from error
