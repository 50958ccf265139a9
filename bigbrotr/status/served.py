"""Where the archive is served, from what the API says of itself in /status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bigbrotr.status.snapshot import ServiceState


def served_at(service: ServiceState, details: Mapping[str, Any]) -> str | None:
    """The address of the API: as clients know it, else as it is reached from here; None where this is no API.

    Args:
        service: which says so.
        details: of its /status.
    """
    public_url: str | None = details.get("public_url")
    url: str | None = details.get("url")
    if public_url is not None or url is None or service.pid is not None:
        return public_url or url
    host = f"[{service.host}]" if ":" in service.host else service.host  # another machine, to whom it is no loopback
    return f"http://{host}:{urlsplit(url).port}"


def serving_note(service: ServiceState, details: Mapping[str, Any]) -> str:
    """What a person may want to know of an API: its address, and why clients get no new events, if so; else nothing."""
    url = served_at(service, details)
    trouble = details.get("live_trouble")
    return "" if url is None else f"serves {url}" + (f"; live: {trouble}" if trouble else "")
