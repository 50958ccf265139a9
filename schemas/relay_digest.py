"""A digest of the registry of relays that does not depend on order, so that a replay can be compared with it.

It covers what follows from who named a relay and what people want: URL, sources, first seen, lane, denial, admission.
Not what connectors met, nor the times at which something was decided.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from schemas.digest import Tally
from schemas.records.relay import RelayRecord


def registry_digest(records: Iterable[RelayRecord]) -> Tally:
    """The tally of records, one of each URL: those of `relays`, or of `relays.candidates` too."""
    tally = Tally()
    for record in records:
        tally.add(digest_item(record))
    return tally


def digest_item(record: RelayRecord) -> bytes:
    """What a record counts by. A denied relay is not admitted, whenever it was before."""
    return orjson.dumps(
        [
            record.url,
            sorted(record.sources),
            record.first_seen_ms,
            record.lane,
            record.allowed,
            record.allowed and record.admitted_at_ms is not None,
        ]
    )
