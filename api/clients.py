"""Who a request is from: the address that is charged for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

_IPV6_PREFIX = 64
"""One customer of a provider has a /64 at least: addresses within it are one client."""
_HOPS = 16
"""Entries of X-Forwarded-For that are looked at, from the right: chains of trusted proxies are shorter."""
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|([^:]+):\d+")
"""Some proxies write the port behind the address."""


class ClientAddresses:
    """Tells the client of a request.

    Args:
        trusted: addresses and networks of proxies whose X-Forwarded-For is believed.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = [ip_network(each) for each in trusted]

    def of(self, connection: HTTPConnection) -> str:
        """Return the client of a request or a websocket."""
        peer = connection.client.host if connection.client is not None else ""
        return self.client(peer, ",".join(connection.headers.getlist("x-forwarded-for")))

    def client(self, peer: str, forwarded_for: str) -> str:
        """Return the address that a request is charged to; IPv6 by its /64.

        Args:
            peer: the address of the connection's other end.
            forwarded_for: the X-Forwarded-For headers, joined by commas; empty where there is none.
        """
        address = _address(peer)
        # Each proxy adds whom it was asked by at the right; what stands left of the first stranger anyone may write.
        for name in reversed(forwarded_for.rsplit(",", _HOPS)[-_HOPS:]):
            before = _address(name)
            if before is None or not self._trusts(address):
                break
            address = before
        return _client(address)

    def is_trusted(self, name: str) -> bool:
        """Whether an address is that of a proxy whose X-Forwarded-For is believed."""
        return self._trusts(_address(name))

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    name = name.strip()
    match = _WITH_PORT.fullmatch(name)
    try:
        address = ip_address(name if match is None else match[1] or match[2])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _client(address: IPv4Address | IPv6Address | None) -> str:
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _IPV6_PREFIX), strict=False))
    return str(address)
