"""Of which probes anything is published. Pure."""

from __future__ import annotations

from schemas.records.probe import ProbeRecord
from schemas.records.seen import seen
from schemas.relay_urls.relay_host import RelayUrlError, is_private_address
from schemas.relay_urls.relay_url import normalize


def is_online(record: ProbeRecord) -> bool:
    """Whether this probe found the relay online: only then anything is published of it."""
    return seen(record.verdict) == "online"


def is_public(record: ProbeRecord) -> bool:
    """Whether others can reach the relay: neither its URL nor the address that was connected to is a private one."""
    try:
        normalize(record.url)
    except RelayUrlError:
        return False
    opened = record.checks.open
    return opened is None or opened.address is None or not is_private_address(opened.address)
