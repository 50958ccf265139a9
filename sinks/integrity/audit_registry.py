"""Audits registry and health of relays: what follows from a URL is derived again and compared with the row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from core.archive.connection import Connection
from schemas.relay_urls.relay_url import RelayUrl, RelayUrlError, normalize

_ROWS = """
SELECT 'registry' AS relation, url, spelling, network FROM registry
UNION ALL SELECT 'relay_health', url, url, network FROM relay_health ORDER BY relation, url
"""
# Rows are small, and few.
_PREFETCH = 1000


class WrongRelay(NamedTuple):
    """A row of a relay (its table and its URL) with a column that does not fit, and how."""

    table: str
    url: str
    column: str
    detail: str


async def wrong_relays(connection: Connection, most: int) -> list[WrongRelay]:
    """Give the first wrong columns of relays, at most so many."""
    found: list[WrongRelay] = []
    async for row in connection.cursor(_ROWS, prefetch=_PREFETCH):
        found += audit_relay(row["relation"], row["url"], row["spelling"], row["network"])
        if len(found) >= most:
            break
    return found[:most]


def audit_relay(table: str, url: str, spelling: str, network: str) -> Iterator[WrongRelay]:
    """Compare a row with what follows from its URL."""
    normalized, spelt = _normalized(url), _normalized(spelling)
    if normalized is None or normalized.url != url:
        yield WrongRelay(table, url, "url", "is no normalised URL of a relay")
        return
    if spelt is None or spelt.url != url:
        yield WrongRelay(table, url, "spelling", f"{spelling!r} is not this relay")
    if network != normalized.network.value:
        yield WrongRelay(table, url, "network", f"is {network!r}, but the URL is of {normalized.network.value}")


def _normalized(url: str) -> RelayUrl | None:
    try:
        return normalize(url, allow_private=True)
    except RelayUrlError:
        return None
