"""What probes are made with: opened once in a process, for all relays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from core.settings import Settings
from core.settings.monitoring import ProberSettings
from producers.addresses.address_guard import allowed_addresses
from producers.addresses.dns_client import DnsClient
from producers.addresses.resolver import LOOK_UP_S, open_resolver
from producers.prober.checks.http_headers import USER_AGENT
from producers.prober.checks.place import Places, open_places
from producers.relay_client.dialling import Dialling, overlay_proxies
from schemas.nostr.signature import public_key

FRAME_MAX_BYTES = 512 * 1024
"""Of a message of a relay: most take no event above 128 KiB, and a hundred relays are probed at once."""
_PING_INTERVAL_S = 60.0
"""Longer than a probe takes, so that none is sent."""


@dataclass(frozen=True, slots=True)
class Means:
    """What probes are made with.

    Attributes:
        settings: time-outs and the like.
        key: of the monitor, 64 hex digits: signs what is written and answers AUTH; None: neither is done.
        dialling: opens websockets to judged addresses or through proxies.
        dns: asks name servers for records.
        places: databases of addresses; None where there are none.
    """

    settings: ProberSettings
    key: SecretStr | None
    dialling: Dialling
    dns: DnsClient
    places: Places | None

    @property
    def by(self) -> str | None:
        """The public key of the monitor."""
        return None if self.key is None else public_key(bytes.fromhex(self.key.get_secret_value()))


@asynccontextmanager
async def open_means(settings: Settings) -> AsyncIterator[Means]:
    """Open what probes are made with, for the length of a block. Name servers and proxies are the connectors'.

    Raises:
        SettingsError: a database of addresses cannot be read.
    """
    prober, connector = settings.prober, settings.connector
    async with AsyncExitStack() as opened:
        places = opened.enter_context(open_places(prober.city_database, prober.asn_database))
        # A share of the time to connect: where a look-up times out, the last addresses of its name are still tried.
        look_up_s = min(LOOK_UP_S, prober.open_timeout_s / 3)
        resolver = await opened.enter_async_context(open_resolver(connector.nameservers, look_up_s))
        dns = DnsClient(connector.nameservers)
        opened.push_async_callback(dns.close)
        yield Means(
            settings=prober,
            key=settings.monitor.key,
            dialling=Dialling(
                connect_timeout_s=prober.open_timeout_s,
                frame_max_bytes=FRAME_MAX_BYTES,
                ping_interval_s=_PING_INTERVAL_S,
                proxies=overlay_proxies(connector),
                look_up=partial(allowed_addresses, resolve=resolver.addresses),
                user_agent=USER_AGENT,
            ),
            dns=dns,
            places=places,
        )
