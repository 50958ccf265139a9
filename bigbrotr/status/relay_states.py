"""Relays as their connector sees them, from its /status."""

from __future__ import annotations

from typing import Any

from bigbrotr.status.snapshot import RelayState


def relay_states(details: dict[str, Any]) -> list[RelayState]:
    """Read the relays from what a connector says of itself; other services have none."""
    return [
        RelayState(str(relay["url"]), str(relay["state"]), _relay_detail(relay), int(relay["received"]))
        for relay in details.get("relays", ())
    ]


def _relay_detail(relay: dict[str, Any]) -> str:
    parts = [text for text in (relay["last_error"], relay["crawl"]["problem"]) if text]
    if relay["retry_in_s"] is not None:
        parts.append(f"again in {relay['retry_in_s']} s")
    return "; ".join(parts)
