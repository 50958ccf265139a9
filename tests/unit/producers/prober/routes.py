"""Ways to relays of the tests."""

from __future__ import annotations

import ssl
from pathlib import Path

from producers.addresses.address_guard import allowed_addresses
from producers.prober.checks.route import Route
from producers.relay_client.dialling import Dialling, LookUp, default_tls
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, normalize
from tests.broker.secured.certificates import Pair


async def to_loopback(host: str, *, allow_private: bool) -> list[str]:
    """Name the loopback for every host."""
    assert host
    assert allow_private
    return ["127.0.0.1"]


def route_to(
    url: str,
    *,
    allow_private: bool = True,
    look_up: LookUp = allowed_addresses,
    proxy: str | None = None,
    address: str | None = None,
    trusted: Path | None = None,
) -> Route:
    """The way to a relay, of which `trusted` is the authority."""
    named = normalize(url, allow_private=True)
    record = RelayRecord(
        url=named.url,
        network=named.network,
        spelling=named.spelling,
        source="operator",
        allow_private=allow_private,
        updated_at_ms=0,
    )
    proxies: dict[Network, str | None] = dict.fromkeys(Network, proxy)
    dialling = Dialling(1.0, 1 << 20, 30.0, proxies, look_up)
    return Route(
        record, named, dialling, address, ssl.create_default_context(cafile=trusted) if trusted else default_tls()
    )


def server_tls(pair: Pair) -> ssl.SSLContext:
    """What a server shows this certificate with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context
