"""The table `registry`: the newest record of each relay in the topic `relays`; a tombstone deletes the row.

Which record is the newest Kafka says, as it does for compaction: the last one of its key, and all records of a key are
in one partition. Batches read a partition in order, and their offsets let no other batch come between. A partition that
is read again from its beginning passes through older states, and ends with the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import orjson

from core.archive.connection import Connection
from schemas.partition import relay_partition
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import RelayUrlError, normalize
from sinks.tables.digest_table import DigestTable, all_values
from sinks.tables.topic_table import Decoded, KeysOfTopic, Record, RelayNumbers, TopicTable, affected
from sinks.tables.topic_tables.registry_row import COLUMNS, registry_row
from sinks.tables.topic_tables.relay_key import relay_record
from sinks.tables.topic_tables.replacing import taking

# Neither meets the rows of another instance: who writes rows of a partition has locked its offset.
_DELETE = "DELETE FROM registry WHERE url = ANY ($1::text[])"
_TAKE = taking("registry", "url", COLUMNS)


class Entry(NamedTuple):
    """What a record says of a relay (normalised URL); None: it is in the registry no longer."""

    url: str
    record: RelayRecord | None


def decode(key: bytes | None, value: bytes | None) -> Entry:
    """Read a record of `relays`.

    Raises:
        ValueError: names what is wrong.
    """
    return Entry(*relay_record(RelayRecord, key, value))


async def write(connection: Connection, entries: Iterable[Entry], _relays: RelayNumbers) -> int:
    """Bring rows up to the last of their entries, inside a transaction; how many rows that changed.

    Args:
        connection: with an open transaction.
        entries: in the order of their partitions.
    """
    newest = {entry.url: entry.record for entry in entries}
    gone = [url for url, record in newest.items() if record is None]
    rows = [registry_row(record) for record in newest.values() if record is not None]
    changed = affected(await connection.execute(_DELETE, gone)) if gone else 0
    if rows:
        changed += affected(await connection.execute(_TAKE, orjson.dumps(rows).decode()))
    return changed


async def delete_absent(connection: Connection, held: KeysOfTopic) -> int:
    """Delete the rows of relays that are in the topic no longer, inside a transaction; how many there were.

    Args:
        connection: with an open transaction that has locked the offsets of the partitions.
        held: of the topic; a row is of the partition in which its relay belongs.
    """
    rows = await connection.fetch("SELECT url FROM registry")
    gone = [row["url"] for row in rows if row["url"].encode() not in held.keys and _belongs(row["url"], held)]
    return affected(await connection.execute(_DELETE, gone)) if gone else 0


def _belongs(url: str, held: KeysOfTopic) -> bool:
    try:
        return relay_partition(normalize(url, allow_private=True).host, held.partition_count) in held.partitions
    except RelayUrlError:
        # Of no relay: for an audit to name.
        return False


def smallest(entry: Entry) -> Entry:
    """That the same relay is gone."""
    return Entry(entry.url, None)


def _decode(record: Record) -> Decoded[Entry]:
    return Decoded(decode(record.key, record.value))


REGISTRY = TopicTable(
    topic="relays",
    name="registry",
    holds="a relay that was admitted or denied, with who named it, where it stands, and how it meets its connector",
    decode=_decode,
    write=write,
    smallest=smallest,
    delete_absent=delete_absent,
    digests=(
        # When it was admitted depends on when caps of a day let it through, and what was reported on the network.
        DigestTable(
            "registry",
            "SELECT url, sources, first_seen_ms, lane, allowed, admitted_at_ms IS NOT NULL AS admitted FROM registry",
            all_values,
            is_state=True,
        ),
    ),
)
