"""The newest record of each relay in the topic `coverage`, as rows: read ranges, gaps, facts, copies and cursor.

A record replaces all rows of its relay; an older one changes nothing, and a tombstone removes them and stays known by
its time. So replays converge in any order. Only rows that differ are touched: a relay that is being crawled writes a
record a second, and most of it says what the one before said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from core.archive.connection import Connection
from schemas.records.coverage import Copies, Coverage, FilterCoverage
from sinks.tables.digest_table import DigestTable, all_values
from sinks.tables.topic_table import Decoded, Record, RelayNumbers, TopicTable
from sinks.tables.topic_tables.bounded import EXACT_MAX, whole
from sinks.tables.topic_tables.coverage_values import facts_json, gap_row, wire_json
from sinks.tables.topic_tables.relay_key import relay_key

# Rows in the order of their key, so that two instances wait for each other instead of deadlocking.
_TAKE = """
INSERT INTO coverage_relays AS stored
    (relay_id, cursor_s, updated_at_ms, withdrawn, facts, copies_received, copies_repeated)
SELECT relay_id, cursor_s, updated_at_ms, withdrawn, facts::jsonb, copies_received, copies_repeated
FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::boolean[], $5::text[], $6::bigint[], $7::bigint[])
    AS new (relay_id, cursor_s, updated_at_ms, withdrawn, facts, copies_received, copies_repeated)
ORDER BY relay_id
ON CONFLICT (relay_id) DO UPDATE SET
    cursor_s = excluded.cursor_s, updated_at_ms = excluded.updated_at_ms, withdrawn = excluded.withdrawn,
    facts = excluded.facts, copies_received = excluded.copies_received, copies_repeated = excluded.copies_repeated
WHERE (stored.updated_at_ms, stored.withdrawn) < (excluded.updated_at_ms, excluded.withdrawn)
RETURNING relay_id
"""
_SETS = "unnest($2::integer[], $3::text[], $4::text[], $5::text[]) AS new (relay_id, filter, identity, wire)"
_DROP_SETS = f"""
DELETE FROM coverage_filters AS stored WHERE relay_id = ANY($1::integer[]) AND NOT EXISTS (
    SELECT FROM {_SETS}
    WHERE (new.relay_id, new.filter, new.identity) = (stored.relay_id, stored.filter, stored.identity)
    AND new.wire::jsonb IS NOT DISTINCT FROM stored.wire)
"""  # noqa: S608 - the names are ours
_ADD_SETS = f"""
INSERT INTO coverage_filters (relay_id, filter, identity, wire)
SELECT new.relay_id, new.filter, new.identity, new.wire::jsonb FROM {_SETS}
WHERE new.relay_id = ANY($1::integer[]) AND NOT EXISTS (
    SELECT FROM coverage_filters AS stored
    WHERE (new.relay_id, new.filter, new.identity) = (stored.relay_id, stored.filter, stored.identity))
"""  # noqa: S608
_SET_IDS = "SELECT set_id, relay_id, filter, identity FROM coverage_filters WHERE relay_id = ANY($1::integer[])"

_RANGES = "unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS new (set_id, since_s, until_s, read_at_s)"
_DROP_RANGES = f"""
DELETE FROM coverage_ranges AS stored WHERE set_id = ANY($1::bigint[]) AND NOT EXISTS (
    SELECT FROM {_RANGES} WHERE new.set_id = stored.set_id AND new.since_s = stored.since_s
    AND new.until_s = stored.until_s AND new.read_at_s = stored.read_at_s)
"""  # noqa: S608
_ADD_RANGES = f"""
INSERT INTO coverage_ranges SELECT new.* FROM {_RANGES} WHERE new.set_id = ANY($1::bigint[]) ON CONFLICT DO NOTHING
"""  # noqa: S608

_GAPS = """unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::integer[], $7::bigint[])
    AS new (set_id, since_s, until_s, reason, tries, retry_at_s)"""
_DROP_GAPS = f"""
DELETE FROM coverage_gaps AS stored WHERE set_id = ANY($1::bigint[]) AND NOT EXISTS (
    SELECT FROM {_GAPS} WHERE new.set_id = stored.set_id AND new.since_s = stored.since_s
    AND new.until_s = stored.until_s AND new.reason = stored.reason
    AND new.tries = stored.tries AND new.retry_at_s IS NOT DISTINCT FROM stored.retry_at_s)
"""  # noqa: S608
_ADD_GAPS = f"""
INSERT INTO coverage_gaps SELECT new.* FROM {_GAPS} WHERE new.set_id = ANY($1::bigint[]) ON CONFLICT DO NOTHING
"""  # noqa: S608

_SetKey = tuple[int, str, str]


class Change(NamedTuple):
    """What a record says of a relay (normalised URL): its coverage, or that it is withdrawn; and when, in ms."""

    relay: str
    coverage: Coverage | None
    at_ms: int


def decode(key: bytes | None, value: bytes | None, timestamp_ms: int) -> Change:
    """Read a record of `coverage`; a tombstone has no value, and is dated by Kafka.

    Raises:
        ValueError: names what is wrong.
    """
    relay = relay_key(key)
    if value is None:
        return Change(relay, None, timestamp_ms)
    coverage = Coverage.decode(value)
    if coverage.relay != relay:
        raise ValueError("relay: is not the record's key")
    if coverage.updated_at_ms >= EXACT_MAX:
        raise ValueError("updated_at_ms: must be below 2^53")
    return Change(relay, coverage, coverage.updated_at_ms)


async def write(connection: Connection, changes: Iterable[Change], relay_ids: RelayNumbers) -> int:
    """Bring the rows of relays up to the newest of their records, inside a transaction; how many relays that changed.

    Args:
        connection: with an open transaction.
        changes: of any relays, in any order.
        relay_ids: the integer of each relay's URL.
    """
    newest: dict[int, Change] = {}
    for change in changes:
        relay_id = relay_ids[change.relay]
        if relay_id not in newest or _age(newest[relay_id]) < _age(change):
            newest[relay_id] = change
    if not newest:
        return 0
    copies = [Copies() if each.coverage is None else each.coverage.copies for each in newest.values()]
    taken = await connection.fetch(
        _TAKE,
        list(newest),
        [None if each.coverage is None else whole(each.coverage.cursor_s) for each in newest.values()],
        [each.at_ms for each in newest.values()],
        [each.coverage is None for each in newest.values()],
        [facts_json(() if each.coverage is None else each.coverage.facts) for each in newest.values()],
        [whole(each.received) for each in copies],
        [whole(each.repeated) for each in copies],
    )
    ids = sorted(row["relay_id"] for row in taken)
    sets: dict[_SetKey, FilterCoverage] = {}
    for relay_id in ids:
        coverage = newest[relay_id].coverage
        for each in coverage.sets if coverage is not None else ():
            sets.setdefault((relay_id, each.filter, each.identity or ""), each)
    if ids:
        await _write_sets(connection, ids, sets)
    return len(ids)


async def _write_sets(connection: Connection, ids: list[int], sets: Mapping[_SetKey, FilterCoverage]) -> None:
    columns = [*_columns(list(sets), 3), [wire_json(each) for each in sets.values()]]
    await connection.execute(_DROP_SETS, ids, *columns)
    await connection.execute(_ADD_SETS, ids, *columns)
    set_ids = [
        (row["set_id"], sets[row["relay_id"], row["filter"], row["identity"]])
        for row in await connection.fetch(_SET_IDS, ids)
    ]
    numbers = [number for number, _ in set_ids]
    ranges = [
        (number, whole(since), whole(until), whole(read_at))
        for number, each in set_ids
        for since, until, read_at in each.read
    ]
    gaps = [(number, *gap_row(gap)) for number, each in set_ids for gap in each.gaps]
    for drop, add, rows, width in ((_DROP_RANGES, _ADD_RANGES, ranges, 4), (_DROP_GAPS, _ADD_GAPS, gaps, 6)):
        await connection.execute(drop, numbers, *_columns(rows, width))
        await connection.execute(add, numbers, *_columns(rows, width))


def _decode(record: Record) -> Decoded[Change]:
    return Decoded(decode(record.key, record.value, record.timestamp))


def smallest(change: Change) -> Change:
    """Of the same relay, and older than what is stored, so that its ranges stay as they are."""
    return Change(change.relay, None, -1)


def _relays(change: Change) -> tuple[str]:
    return (change.relay,)


def _age(change: Change) -> tuple[int, bool]:
    return change.at_ms, change.coverage is None


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(width)]


COVERAGE = TopicTable(
    topic="coverage",
    name="coverage",
    holds="what was read of a relay: `coverage_relays`, `coverage_filters`, `coverage_ranges`, `coverage_gaps`",
    decode=_decode,
    write=write,
    smallest=smallest,
    relays=_relays,
    digests=(
        DigestTable(
            "coverage", "SELECT relay, filter, identity, cursor_s, read::text FROM coverage", all_values, is_state=True
        ),
        DigestTable(
            "coverage_gaps",
            """SELECT relays.url, filters.filter, filters.identity, since_s, until_s, reason
            FROM coverage_gaps JOIN coverage_filters AS filters USING (set_id)
            JOIN relays ON relays.id = filters.relay_id""",
            all_values,
            is_state=True,
        ),
    ),
)
