"""Records of the registry, for tests."""

from __future__ import annotations

from typing import Any

from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize


def record(url: str = "wss://relay.example.com", **fields: Any) -> RelayRecord:
    network = normalize(url, allow_private=True).network
    return RelayRecord(**{"url": url, "network": network, "source": "event", "updated_at_ms": 1, **fields})
