"""Generates the reference of all columns for docs/reference/tables.md, in Markdown, from a migrated database.

`BIGBROTR_POSTGRES__DSN=… python -m sinks.columns_table` prints it.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import groupby

import asyncpg

from core.archive.connection import Connection, reading
from core.settings import load_settings

_QUERY = """
SELECT relation.relname AS relation, relation.relkind = 'v' AS is_view,
    obj_description(relation.oid, 'pg_class') AS about,
    attribute.attname AS name, format_type(attribute.atttypid, attribute.atttypmod) AS type,
    attribute.attnotnull AS not_null, col_description(relation.oid, attribute.attnum) AS meaning,
    EXISTS (
        SELECT FROM pg_index WHERE indrelid = relation.oid AND indisprimary AND attribute.attnum = ANY (indkey)
    ) AS is_key
FROM pg_class AS relation
JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
ORDER BY is_view, relation, attribute.attnum
"""

_MEANINGS = {
    "address_sha256": "SHA-256 of the address `kind:pubkey:d`",
    "applied_at": "When the file was applied",
    "checksum": "Hash of the file: a file that was applied may not change",
    "cluster_id": "Kafka cluster that the offset belongs to",
    "content": "The event's content; null where `raw` holds the event",
    "created_at": "The event's own time, Unix seconds, as signed",
    "cursor_s": "The relay was followed up to this second",
    "deleted_by": "Id of the first request (kind 5) that deletes the event; null: none does",
    "expires_at": "When the event expires, Unix seconds; null: never",
    "filter": "Hash of the filter",
    "finished_at": "When the rebuild came to its end; null: it has not",
    "group_id": "Consumer group of the sink",
    "id": "The event's id, 32 bytes",
    "id_form": "Which serialization the id fits: 0 as NIP-01 has it, 1 with U+007F escaped",
    "id_prefix": "First 8 bytes of the id as a number, `key_prefix(id)`: the index for look-ups by id",
    "identity": "Public key that had answered AUTH; null without AUTH",
    "kind": "The event's kind",
    "last_timestamp_ms": "Time of the last record that was read, Unix milliseconds",
    "name": "Name of the file",
    "next_offset": "The next offset to read",
    "partition": "Number of the partition",
    "pubkey": "The author's public key, 32 bytes",
    "pubkey_prefix": "First 8 bytes of the public key as a number: the index for look-ups by author",
    "raw": "Canonical JSON of an event with U+0000, which text and jsonb refuse; null for every other",
    "read": "Seconds that were read completely, as a multirange",
    "read_at_s": "When they were read, Unix seconds",
    "reason": "Why: a word of the list in `schemas/records/coverage.py`",
    "recipients": "Keys in the `p` tags of a gift wrap",
    "relay": "The relay's URL",
    "relay_id": "The relay's number, see `relays`",
    "relay_ids": "Numbers of the relays that had the event, in ascending order",
    "relays": "Relays that the request names, or `ALL_RELAYS`",
    "request_id": "Id of the request",
    "requested_at": "Time of the request, Unix seconds",
    "retry_at_s": "When the relay is asked for it again, Unix seconds",
    "seen_at_ms": "When the relay was first seen to have the event, Unix milliseconds",
    "seen_ats_ms": "When each of them was first seen to have it, Unix milliseconds",
    "set_id": "Number of the set: a relay, a filter and an identity",
    "sig": "The signature, 64 bytes",
    "since_s": "First second, included",
    "started_at": "When the rebuild began",
    "tag_hashes": "`tag_hash(name, value)` of the first value of each single-letter tag: the index for look-ups by tag",
    "tags": "The event's tags; null where `raw` holds the event",
    "target_id": "Id of the event that the request names",
    "topic": "Name of the topic, with its prefix",
    "topic_id": "Kafka's id of the topic: one that is made anew has another",
    "tries": "How often the relay was asked",
    "until_s": "Last second, included",
    "updated_at_ms": "When the record was made, Unix milliseconds: an older one changes nothing",
    "url": "The normalised URL",
    "vanished_by": "Id of the first binding request (kind 62) by which the author vanished; null: none",
    "version": "Number of the file",
    "wire": "The filter as it is sent, `{}` for everything; null where it is not known",
    "began_from": "From where the topics were read: the beginning, or the offsets or the time that was given",
    "count_differences.month": "First day of the month, as in `month_counts`",
    "count_differences.relation": "As in `month_counts`",
    "erased_authors.cause": "Who asked: `operator` and `law` take all of the author's events, `vanish` some",
    "relays.id": "The relay's number",
}
"""What a column holds where the database has no comment on it, by name, or by table and name."""

_ABOUT = {
    "binding_vanish_requests": "Requests to vanish that bind this archive: `ALL_RELAYS`, or one of `own_urls`.",
    "coverage": "What was read of each relay, by filter and identity.",
    "coverage_filters": "A set of ranges and gaps: those of a relay, a filter and an identity.",
    "event_sightings": "One row for each relay that had an event, and when it was first seen to have it.",
    "schema_migrations": "The numbered SQL files that were applied.",
}
"""What a relation holds where the database has no comment on it."""


async def columns_table(connection: Connection) -> str:
    """Write a table of Markdown for each table and view of the archive's schema, partitions left out."""
    parts = []
    for name, rows in groupby(await connection.fetch(_QUERY), key=lambda row: row["relation"]):
        columns = list(rows)
        lines = [
            f"| `{row['name']}` | {row['type']} | {_null(row)} | {_meaning(name, row['name'], row['meaning'])} |"
            for row in columns
        ]
        about = (columns[0]["about"] or _ABOUT.get(name, "")).removesuffix(".")
        sort = "View" if columns[0]["is_view"] else "Table"
        head = f"### {name}\n\n{sort}: {about}.\n\n| column | type | null | what it is |\n|---|---|---|---|\n"
        parts.append(head + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _null(row: asyncpg.Record) -> str:
    return "key" if row["is_key"] else "no" if row["not_null"] else "yes"


def _meaning(table: str, column: str, comment: str | None) -> str:
    if comment is not None:
        return comment.removesuffix(".")
    return _MEANINGS.get(f"{table}.{column}", "") or _MEANINGS.get(column, "")


async def _print() -> None:
    async with reading(load_settings()) as connection:
        sys.stdout.write(await columns_table(connection))


if __name__ == "__main__":
    asyncio.run(_print())
