"""The table `relay_documents`: each information document (NIP-11) once, with what could be understood of it.

The key says what the text is, so that records of one key differ in their time alone. The earliest is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson

from core.archive.connection import Connection
from schemas.nostr.relay_document import NotADocumentError, parse_document
from schemas.records.relay_document import RelayDocumentRecord
from sinks.tables.digest_table import DigestTable, all_values
from sinks.tables.topic_table import Decoded, Record, RelayNumbers, TopicTable, affected
from sinks.tables.topic_tables.bounded import text, whole

_HASH = re.compile(rb"[0-9a-f]{64}")
_DELETE = "DELETE FROM relay_documents WHERE hash = ANY ($1::text[])"
# Neither meets the rows of another instance: who writes rows of a partition has locked its offset.
_TAKE = """
INSERT INTO relay_documents AS stored (hash, text, members, first_seen_ms)
SELECT hash, text, members, first_seen_ms FROM jsonb_populate_recordset(NULL::relay_documents, $1::jsonb)
ON CONFLICT (hash) DO UPDATE SET text = excluded.text, members = excluded.members,
    first_seen_ms = least(stored.first_seen_ms, excluded.first_seen_ms)
WHERE (stored.text, stored.members) IS DISTINCT FROM (excluded.text, excluded.members)
    OR stored.first_seen_ms > excluded.first_seen_ms
"""


class Entry(NamedTuple):
    """What a record says of a document (its hash); None: it is kept no longer."""

    hash: str
    record: RelayDocumentRecord | None


def decode(key: bytes | None, value: bytes | None) -> Entry:
    """Read a record of `relays.documents`.

    Raises:
        ValueError: names what is wrong.
    """
    if key is None or not _HASH.fullmatch(key):
        raise ValueError("key: must be the SHA-256 of a document, 64 hex digits")
    record = None if value is None else RelayDocumentRecord.decode(value)
    if record is not None and record.hash != key.decode():
        raise ValueError("hash: is not the record's key")
    return Entry(key.decode(), record)


async def write(connection: Connection, entries: Iterable[Entry], _relays: RelayNumbers) -> int:
    """Bring rows up to the last of their entries, inside a transaction; how many rows that changed.

    Args:
        connection: with an open transaction.
        entries: in the order of their partitions.
    """
    newest = {entry.hash: entry.record for entry in entries}
    gone = [hash_ for hash_, record in newest.items() if record is None]
    rows = [document_row(record) for record in newest.values() if record is not None]
    changed = affected(await connection.execute(_DELETE, gone)) if gone else 0
    if rows:
        changed += affected(await connection.execute(_TAKE, orjson.dumps(rows).decode()))
    return changed


def document_row(record: RelayDocumentRecord) -> dict[str, object]:
    """The row as members of JSON: within PostgreSQL's types, without U+0000."""
    stored = text(record.text, len(record.text))
    return {
        "hash": record.hash,
        "text": stored,
        "members": members(stored),
        "first_seen_ms": whole(record.first_seen_ms),
    }


def members(document: str) -> dict[str, Any] | None:
    """What could be understood of a document, as it is stored, without what it does not say; None: no JSON object."""
    try:
        found = asdict(parse_document(document))
    except NotADocumentError:
        return None
    limitation = {name: value for name, value in found["limitation"].items() if value is not None}
    return {name: value for name, value in (found | {"limitation": limitation}).items() if value or value == 0}


def smallest(entry: Entry) -> Entry:
    """That the same document is gone."""
    return Entry(entry.hash, None)


def _decode(record: Record) -> Decoded[Entry]:
    return Decoded(decode(record.key, record.value))


RELAY_DOCUMENTS = TopicTable(
    topic="relays.documents",
    name="relay_documents",
    holds="an information document (NIP-11) that relays gave, once, as it was sent and as it was understood",
    decode=_decode,
    write=write,
    smallest=smallest,
    # Not when it was seen first: compaction keeps the latest record that says so.
    digests=(DigestTable("relay_documents", "SELECT hash, text FROM relay_documents", all_values, is_state=True),),
)
