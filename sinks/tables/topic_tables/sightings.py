"""The table `sightings`: which relays had an event, and when each was first seen to, merged by minimum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import Any

from core.archive.connection import Connection
from core.archive.rows import DamagedRowError
from schemas.records import sighting
from schemas.records.sighting import Sighting
from sinks.tables.digest_table import DigestTable
from sinks.tables.event_key import EVENT_KEY
from sinks.tables.topic_table import Decoded, Record, RelayNumbers, TopicTable, affected, check_url
from sinks.tables.topic_tables.binary_copy import SightingRow, copy_sightings

_KEY = itemgetter(0, 1)
# An event is seen by 2.4 relays in the mean: sightings alone close a batch when they are four times its events.
_PAIRS_PER_EVENT = 4
_INT64_END = 2**63

# Relays that are new to a row are appended, the common case, at half the cost of a merge. Only where one is there are
# the two lists merged, and only where that changes something is the row written at all.
_MERGE = """
INSERT INTO sightings AS stored (created_at, id, relay_ids, seen_ats_ms)
SELECT created_at, id, relay_ids, seen_ats_ms FROM batch_sightings
ON CONFLICT (created_at, id) DO UPDATE SET
    relay_ids = CASE WHEN NOT stored.relay_ids && excluded.relay_ids
        THEN stored.relay_ids || excluded.relay_ids
        ELSE (merge_sightings(
            stored.relay_ids, stored.seen_ats_ms, excluded.relay_ids, excluded.seen_ats_ms)).relay_ids END,
    seen_ats_ms = CASE WHEN NOT stored.relay_ids && excluded.relay_ids
        THEN stored.seen_ats_ms || excluded.seen_ats_ms
        ELSE (merge_sightings(
            stored.relay_ids, stored.seen_ats_ms, excluded.relay_ids, excluded.seen_ats_ms)).seen_ats_ms END
WHERE NOT (stored.relay_ids @> excluded.relay_ids AND NOT EXISTS (
    SELECT FROM unnest(excluded.relay_ids, excluded.seen_ats_ms) AS new (relay_id, seen_ms)
    WHERE new.seen_ms < stored.seen_ats_ms[array_position(stored.relay_ids, new.relay_id)]
))
"""


def decode(record: Record) -> Decoded[Sequence[Sighting]] | None:
    """Read a record of `sightings`.

    Raises:
        ValueError: names what is wrong.
    """
    if record.value is None:
        return None
    groups = sighting.decode(record.value)
    pairs = 0
    for group in groups:
        check_url(group.relay)
        if group.seen_at_ms >= _INT64_END:
            raise ValueError("seen_at: must be milliseconds below 2^63")
        pairs += len(group.ids)
    return Decoded(groups, pairs)


async def prepare(connection: Connection, items: Sequence[Sequence[Sighting]], relays: RelayNumbers) -> None:
    """Copy sightings into `batch_sightings`, a row for each event, in key order."""
    await copy_sightings(connection, sighting_rows((group for groups in items for group in groups), relays))


async def write(connection: Connection, _items: Sequence[Sequence[Sighting]], _relays: RelayNumbers) -> int:
    """Insert what was copied, or merge it into the rows that are there."""
    return affected(await connection.execute(_MERGE))


def smallest(groups: Sequence[Sighting]) -> Sequence[Sighting]:
    """That the first relay had one event of the first one's time, by an id that no event has, and the earliest."""
    for relay, _, ids in groups:
        for event_id, created_at in ids:
            return [Sighting(relay, 0, [(sha256(event_id.encode()).hexdigest(), created_at)])]
    return []


def sighting_rows(groups: Iterable[Sighting], relay_ids: RelayNumbers) -> list[SightingRow]:
    """Fold sightings to one row per event, in key order, each relay once with the earliest time it was seen."""
    folded: dict[tuple[str, int], dict[int, int]] = {}
    for group in groups:
        relay_id = relay_ids[group.relay]
        seen_at_ms = group.seen_at_ms
        for event in group.ids:
            times = folded.get(event)
            if times is None:
                folded[event] = {relay_id: seen_at_ms}
            elif seen_at_ms < times.get(relay_id, seen_at_ms + 1):
                times[relay_id] = seen_at_ms
    rows = [
        (created_at, bytes.fromhex(event_id), list(times), list(times.values()))
        for (event_id, created_at), times in folded.items()
    ]
    rows.sort(key=_KEY)
    return rows


def _relays(groups: Sequence[Sighting]) -> Iterator[str]:
    return (group.relay for group in groups)


def _item(row: Any) -> bytes:
    """The id and the relay's URL: numbers of relays differ from archive to archive."""
    if row["url"] is None:
        raise DamagedRowError("a sighting by a relay that is not in relays")
    event_id: bytes = row["id"]
    url: str = row["url"]
    return event_id + url.encode()


SIGHTINGS = TopicTable(
    topic="sightings",
    name="sightings",
    holds="which relays had an event, and when each was first seen to",
    decode=decode,
    prepare=prepare,
    write=write,
    smallest=smallest,
    relays=_relays,
    rows_per_event=_PAIRS_PER_EVENT,
    of_event=EVENT_KEY,
    # Times are not covered: they are the smallest that was reported, and topics may have lost the first report.
    digests=(
        DigestTable(
            "sightings",
            """SELECT sightings.created_at, sightings.id, relays.url
            FROM sightings CROSS JOIN LATERAL unnest(relay_ids) AS pair (relay_id)
            LEFT JOIN relays ON relays.id = pair.relay_id""",
            _item,
            "created_at",
            is_partitioned=True,
        ),
    ),
)
