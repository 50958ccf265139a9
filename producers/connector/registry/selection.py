"""Which changes of a record a connection does not survive, who has only met a relay, and the relays of `only`."""

from __future__ import annotations

from collections.abc import Iterable

from producers.relay_client.spelling import dial_url
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize

_WANTED = {"operator", "seed", "publish"}
"""Sources that want a relay to be read. The others have only met its URL."""
_ONLY = "only"


def reopens(before: RelayRecord, after: RelayRecord) -> bool:
    """Whether a session has to begin anew for a change of its record. What is known of a relay changes often."""
    return _of_connection(before) != _of_connection(after)


def is_discovered(record: RelayRecord) -> bool:
    """Whether only events and APIs have named a relay: many of these never existed."""
    return bool(record.sources) and _WANTED.isdisjoint(record.sources)


def only_records(urls: Iterable[str], *, allow_private: bool) -> dict[str, RelayRecord]:
    """Records for the relays of `connector.only`, by normalised URL.

    Raises:
        RelayUrlError: one may not be connected to.
    """
    relays = (normalize(url, allow_private=allow_private) for url in urls)
    return {
        relay.url: RelayRecord(
            url=relay.url,
            spelling=relay.spelling,
            network=relay.network,
            source=_ONLY,
            allow_private=allow_private,
            updated_at_ms=0,
        )
        for relay in relays
    }


def _of_connection(record: RelayRecord) -> tuple[object, ...]:
    return dial_url(record), record.lane, record.allowed, record.allow_private, record.duplicate_of
