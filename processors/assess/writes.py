"""What is written about a relay: its record, and what the registry is told of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from processors.assess.book import Entry
from schemas.records.relay import SameDocument
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import RelayHealth
from schemas.relay_urls.relay_url import RelayUrl


class Write(NamedTuple):
    """A record to write about a relay."""

    topic: Literal["relays.health", "relays.found"]
    url: str
    host: str
    value: bytes


def written(url: str, entry: Entry) -> Write:
    """The record of a relay."""
    return Write("relays.health", url, entry.host, entry.value)


def report(relay: RelayUrl, health: RelayHealth) -> Write:
    """Tell the registry which URL of the host gives the same document and is preferred, if one does."""
    at_ms = health.probed_at_ms or 0
    same = SameDocument(url=health.duplicate_of, at_ms=at_ms)
    found = RelayFound(url=relay.url, first_seen_ms=at_ms, same_document=same)
    return Write("relays.found", relay.url, relay.host, found.encode())
