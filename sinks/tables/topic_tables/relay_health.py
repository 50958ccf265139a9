"""The newest record of each relay in the topic `relays.health`, as rows; a tombstone deletes them.

Which record is the newest Kafka says, as for the table `registry`: the last one of its key. A record replaces all rows
of its relay, and only those that differ are touched: of 400 days a probe changes one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import orjson

from core.archive.connection import Connection
from schemas.records.relay_health import RelayHealth
from sinks.tables.digest_table import DigestTable, all_values
from sinks.tables.topic_table import Decoded, Record, RelayNumbers, TopicTable, affected
from sinks.tables.topic_tables.relay_health_rows import CHANGE_COLUMNS, COLUMNS, DAY_COLUMNS, OUTAGE_COLUMNS, rows
from sinks.tables.topic_tables.relay_key import relay_record
from sinks.tables.topic_tables.replacing import replacing, taking

# Neither meets the rows of another instance: who writes rows of a partition has locked its offset. Days, outages and
# changes follow.
_DELETE = "DELETE FROM relay_health WHERE url = ANY ($1::text[])"
_TAKE = taking("relay_health", "url", COLUMNS)
_DAYS = replacing("relay_days", "day", DAY_COLUMNS)
_OUTAGES = replacing("relay_outages", "since_ms", OUTAGE_COLUMNS)
_CHANGES = replacing("relay_document_changes", "at_ms", CHANGE_COLUMNS)


class Entry(NamedTuple):
    """What a record says of a relay (normalised URL); None: its health is kept no longer."""

    url: str
    record: RelayHealth | None


def decode(key: bytes | None, value: bytes | None) -> Entry:
    """Read a record of `relays.health`.

    Raises:
        ValueError: names what is wrong.
    """
    return Entry(*relay_record(RelayHealth, key, value))


async def write(connection: Connection, entries: Iterable[Entry], _relays: RelayNumbers) -> int:
    """Bring rows up to the last of their entries, inside a transaction; how many rows of `relay_health` that changed.

    Args:
        connection: with an open transaction.
        entries: in the order of their partitions.
    """
    newest = {entry.url: entry.record for entry in entries}
    gone = [url for url, record in newest.items() if record is None]
    found = {url: rows(record) for url, record in newest.items() if record is not None}
    changed = affected(await connection.execute(_DELETE, gone)) if gone else 0
    if found:
        changed += affected(await connection.execute(_TAKE, _json([each.health for each in found.values()])))
        await connection.executemany(_DAYS, [(url, _json(each.days)) for url, each in found.items()])
        await connection.executemany(_OUTAGES, [(url, _json(each.outages)) for url, each in found.items()])
        await connection.executemany(_CHANGES, [(url, _json(each.changes)) for url, each in found.items()])
    return changed


def smallest(entry: Entry) -> Entry:
    """That the same relay is gone."""
    return Entry(entry.url, None)


def _decode(record: Record) -> Decoded[Entry]:
    return Decoded(decode(record.key, record.value))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _state(name: str, columns: str) -> DigestTable:
    return DigestTable(name, f"SELECT {columns} FROM {name}", all_values, is_state=True)  # noqa: S608 - ours


RELAY_HEALTH = TopicTable(
    topic="relays.health",
    name="relay_health",
    holds="the health of a relay: `relay_health`, `relay_days`, `relay_outages`, `relay_document_changes`",
    decode=_decode,
    write=write,
    smallest=smallest,
    # What probes said, and neither the state, which the clock alone may change, nor what connectors and monitors say.
    digests=(
        _state(
            "relay_health", "url, network, verdict, cause, failures, probed_at_ms, full_at_ms, online_at_ms, document"
        ),
        _state("relay_days", "url, day, up_s, down_s, probes, failures, open_counts, read_counts"),
        _state("relay_outages", "url, since_ms, until_ms, verdict, cause, probes"),
        _state("relay_document_changes", "url, at_ms, before, after"),
    ),
)
