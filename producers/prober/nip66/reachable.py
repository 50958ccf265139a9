"""Of which probes anything is published. Pure."""

from __future__ import annotations

from schemas.records.probe import ProbeRecord
from schemas.records.seen import seen
from schemas.relay_urls.public_relay import is_public_relay


def is_online(record: ProbeRecord) -> bool:
    """Whether this probe found the relay online: only then anything is published of it."""
    return seen(record.verdict) == "online"


def is_public(record: ProbeRecord) -> bool:
    """Whether others can reach the relay: neither its URL nor the address that was connected to is a private one."""
    opened = record.checks.open
    return is_public_relay(record.url, None if opened is None else opened.address)
