"""Overlay relays are spoken to through the configured SOCKS proxy, which alone resolves their names."""

from __future__ import annotations

import pytest

from producers.relay_client.dialling import Dialling, open_connection
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, normalize
from tests.relays.local_relay import local_relay
from tests.relays.socks import socks_proxy

ONION = f"{'a' * 56}.onion"


@pytest.mark.slow
async def test_an_onion_relay_shakes_hands_through_the_proxy() -> None:
    async with local_relay() as relay, socks_proxy(normalize(relay, allow_private=True).port) as (proxy, asked):
        url = normalize(f"ws://{ONION}")
        record = RelayRecord(url=url.url, network=url.network, source="test", updated_at_ms=0)
        dialling = Dialling(
            connect_timeout_s=10, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={Network.TOR: proxy}
        )
        connection = await open_connection(record, url, dialling)
        await connection.close()
    assert asked == [ONION]
