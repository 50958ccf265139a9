"""Finds what of a batch is erased, inside the transaction that writes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from core.archive.connection import Connection
from schemas.records.erasure import Cause
from sinks.archive_lock import SHARED
from sinks.tables.event_key import same_event
from sinks.tables.topic_table import AnyTopicTable
from sinks.tables.topic_tables.events import EVENTS


class Found(NamedTuple):
    """An event in the archive, or on its way into it, that a rule covers."""

    created_at: int
    id: bytes
    cause: Cause


class ErasedError(Exception):
    """A batch holds events that are erased: it must be rolled back, and tried again without them.

    Attributes:
        ids: events that are erased already.
        found: events that a rule about their author, address or the like covers, which makes their ids erased ones.
    """

    def __init__(self, ids: list[bytes], found: list[Found]) -> None:
        super().__init__(f"{len(ids) + len(found)} events of the batch are erased")
        self.ids = ids
        self.found = found


_HAS_RULES = """
SELECT EXISTS (SELECT FROM erased_ids) AS about_ids,
    EXISTS (SELECT FROM erased_author_ids) OR EXISTS (SELECT FROM erased_addresses)
        OR EXISTS (SELECT FROM erased_authors) AS about_others
"""

_ERASED = "SELECT id FROM erased_ids WHERE id = ANY ($1::bytea[])"
_ERASED_IN_BATCH = "SELECT id FROM batch_events AS event WHERE EXISTS (SELECT FROM erased_ids WHERE id = event.id)"
_LEAVE_OUT = "DELETE FROM {staging} AS stored USING erased_ids AS event WHERE {same_event}"

# What each rule covers is told by `schemas.records.erasure.Erasures.covers`; a test holds that both say the same.
_FOUND_IN_BATCH = """
SELECT created_at, id, cause FROM (
    SELECT created_at, id, coalesce(
        (SELECT rule.cause FROM erased_authors AS rule
            WHERE rule.pubkey = event.pubkey AND rule.until_s >= event.created_at
                AND (rule.cause <> 'vanish' OR event.kind <> 62)
            ORDER BY rule.cause LIMIT 1),
        CASE WHEN event.kind = 1059 THEN
            (SELECT rule.cause FROM erased_authors AS rule
                WHERE rule.pubkey = ANY (event_recipients(kind, tags, created_at, id))
                    AND rule.until_s >= event.created_at AND rule.cause = 'vanish'
                LIMIT 1)
        END,
        CASE WHEN event.kind NOT IN (5, 62) AND (
            EXISTS (SELECT FROM erased_author_ids AS rule
                WHERE rule.id = event.id AND (rule.pubkey = event.pubkey
                    OR rule.pubkey = ANY (event_recipients(kind, tags, created_at, event.id))))
            OR EXISTS (SELECT FROM erased_addresses AS rule
                WHERE rule.address_sha256 = event_address_sha256(kind, event.pubkey, tags, created_at, event.id)
                    AND rule.until_s >= event.created_at)
        ) THEN 'deletion' END
    ) AS cause
    FROM batch_events AS event
) AS judged
WHERE cause IS NOT NULL
"""


async def erased_among(connection: Connection, ids: Iterable[bytes]) -> set[bytes]:
    """Which ids (32 bytes each) are erased for any cause."""
    return {row["id"] for row in await connection.fetch(_ERASED, list(ids))}


async def check_batch(connection: Connection, tables: Iterable[AnyTopicTable]) -> None:
    """Leave out what is erased of other tables than `events`. Raises ErasedError where `batch_events` holds such.

    Shares the lock to the end of the transaction, so no rule can be applied before its rows are there. What is derived
    from the batch's events must have been written: that is where the tags of some are looked up.

    Args:
        connection: with the transaction of a batch.
        tables: that the batch has rows for; the temporary tables of others are empty.
    """
    # A statement of its own: the next one sees what was committed while this one waited.
    await connection.execute(SHARED)
    has_rules = await connection.fetchrow(_HAS_RULES)
    assert has_rules is not None, "a SELECT without FROM has a row"
    ids: list[bytes] = []
    found: list[Found] = []
    if has_rules["about_ids"]:
        ids = [row["id"] for row in await connection.fetch(_ERASED_IN_BATCH)]
        for table in tables:
            if table.prepare is not None and table.of_event is not None and table.topic != EVENTS.topic:
                by_id = same_event(table.of_event[-1:])
                await connection.execute(_LEAVE_OUT.format(staging=table.staging, same_event=by_id))
    if has_rules["about_others"]:
        rows = await connection.fetch(_FOUND_IN_BATCH)
        found = [Found(row["created_at"], row["id"], Cause(row["cause"])) for row in rows]
    if ids or found:
        raise ErasedError(ids, found)
