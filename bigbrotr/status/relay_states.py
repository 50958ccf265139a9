"""Relays as their connector sees them, from its /status."""

from __future__ import annotations

from typing import Any

from bigbrotr.status.snapshot import RelayState


def relay_states(details: dict[str, Any], now_s: float) -> list[RelayState]:
    """Read the relays from what a connector says of itself; other services have none.

    Args:
        details: of /status.
        now_s: Unix seconds; a crawl begins in the future, of which nothing is said.
    """
    return [_relay_state(relay, relay["crawl"], int(now_s)) for relay in details.get("relays", ())]


def _relay_state(relay: dict[str, Any], crawl: dict[str, Any], now_s: int) -> RelayState:
    position_s = crawl["position_s"]
    return RelayState(
        str(relay["url"]),
        str(relay["state"]),
        _relay_detail(relay),
        int(relay["received"]),
        position_s=None if position_s is None else min(int(position_s), now_s),
        # A connector says that a crawl is done until the next one begins: not so for what came while it was away.
        crawled=bool(crawl["done"]) and relay["state"] == "live",
        gaps=int(crawl["gaps"]),
    )


def _relay_detail(relay: dict[str, Any]) -> str:
    parts = [text for text in (relay["last_error"], relay["crawl"]["problem"]) if text]
    if relay["retry_in_s"] is not None:
        parts.append(f"again in {relay['retry_in_s']} s")
    return "; ".join(parts)
