"""The offsets of the archive, kept in PostgreSQL by the transaction that writes the rows they cover.

They move by compare-and-set: an instance that lost its partitions and writes late finds that the offset is no longer
the one from which it read, and its whole batch is rolled back. Each row also says which cluster and topic it counts in,
and the time of the last record, so that a topic that was deleted and made again is an error and not a silent gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from aiokafka import TopicPartition

from core.archive.connection import Connection
from core.archive.origin import ORIGIN_PARTITION
from core.errors import OperatorError


class StoredOffset(NamedTuple):
    """Where reading goes on in one partition, what identifies the topic, and what was refused last.

    The last is for `sinks.writing.rejection_breaker`.
    """

    next_offset: int
    cluster_id: str
    topic_id: UUID | None
    last_timestamp_ms: int | None
    refused: Sequence[int] = ()


class Advance(NamedTuple):
    """What a batch read of one partition: from offset `expected` up to but not including `following`.

    `last_timestamp_ms` is None where nothing was read yet.
    """

    expected: int
    following: int
    last_timestamp_ms: int | None


class TopicIdentity(NamedTuple):
    """What the broker says of one partition now. `topic_id` is None where the broker is too old to tell."""

    cluster_id: str
    topic_id: UUID | None
    beginning: int
    end: int


class OffsetsMovedError(Exception):
    """An offset is not where this batch was read from: it must be rolled back, and the offsets read again.

    Another instance went on from there, or the server lost its last moments in a crash (`synchronous_commit` is off).
    """


class PositionError(OperatorError):
    """The stored offset does not fit the topic: reading on would leave a silent gap."""


_READ = """
SELECT topic, partition, next_offset, cluster_id, topic_id, last_timestamp_ms, refused
FROM sink_offsets WHERE group_id = $1 AND partition >= 0 ORDER BY topic, partition
"""

_BEGIN = """
INSERT INTO sink_offsets (group_id, topic, partition, next_offset, cluster_id, topic_id)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""

# Where the table has rows, they may have come from anywhere, and what was recorded when it had none holds or is gone.
_ORIGIN = """
INSERT INTO sink_offsets (group_id, topic, partition, next_offset, cluster_id, topic_id)
SELECT $1, $2, $5, 0, $3, $4 WHERE NOT EXISTS (SELECT FROM {table})
ON CONFLICT (group_id, topic, partition) DO UPDATE SET cluster_id = excluded.cluster_id, topic_id = excluded.topic_id
"""
_WITH_ORIGIN = ("events", "sightings")

# In the order of the key, so that two instances wait for each other instead of deadlocking.
_LOCK = """
SELECT 1 FROM sink_offsets
WHERE group_id = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::integer[]))
ORDER BY topic, partition FOR UPDATE
"""

_MOVE = """
UPDATE sink_offsets AS stored
SET next_offset = batch.following, last_timestamp_ms = batch.last_timestamp_ms
FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS batch (topic, partition, expected, following, last_timestamp_ms)
WHERE stored.group_id = $1 AND stored.topic = batch.topic AND stored.partition = batch.partition
    AND stored.next_offset = batch.expected
"""


async def stored_offsets(connection: Connection, group_id: str) -> dict[TopicPartition, StoredOffset]:
    """Every stored offset of a group."""
    rows = await connection.fetch(_READ, group_id)
    return {
        TopicPartition(row["topic"], row["partition"]): StoredOffset(
            row["next_offset"], row["cluster_id"], row["topic_id"], row["last_timestamp_ms"], row["refused"]
        )
        for row in rows
    }


async def begin_offsets(
    connection: Connection, group_id: str, identities: Mapping[TopicPartition, TopicIdentity]
) -> None:
    """Store the first offset of partitions that have none yet: the oldest record that the broker still has.

    And, while its table is empty, which topic it is filled from (`core.archive.origin`).
    """
    for topic, identity in {tp.topic: identity for tp, identity in sorted(identities.items())}.items():
        for table in _WITH_ORIGIN:
            if topic.endswith(table):  # behind any prefix
                origin = _ORIGIN.format(table=table)
                values = (group_id, topic, identity.cluster_id, identity.topic_id, ORIGIN_PARTITION)
                await connection.execute(origin, *values)
    await connection.executemany(
        _BEGIN,
        [
            (group_id, tp.topic, tp.partition, identity.beginning, identity.cluster_id, identity.topic_id)
            for tp, identity in sorted(identities.items())
        ],
    )


async def resumed_offsets(
    connection: Connection, group_id: str, identities: Mapping[TopicPartition, TopicIdentity]
) -> dict[TopicPartition, StoredOffset]:
    """Where partitions are read on, stored for those that had no offset yet."""
    await begin_offsets(connection, group_id, identities)
    stored = await stored_offsets(connection, group_id)
    return {tp: stored[tp] for tp in identities}


async def move_offsets(connection: Connection, group_id: str, advances: Mapping[TopicPartition, Advance]) -> None:
    """Move the offsets of a batch, inside its transaction and before its rows are written.

    Raises OffsetsMovedError where one is not where the batch was read from. The rows stay locked to the end of the
    transaction, so a second instance with the same partitions waits and then raises.
    """
    partitions = sorted(advances)
    topics = [tp.topic for tp in partitions]
    numbers = [tp.partition for tp in partitions]
    await connection.execute(_LOCK, group_id, topics, numbers)
    status = await connection.execute(
        _MOVE,
        group_id,
        topics,
        numbers,
        [advances[tp].expected for tp in partitions],
        [advances[tp].following for tp in partitions],
        [advances[tp].last_timestamp_ms for tp in partitions],
    )
    if status != f"UPDATE {len(partitions)}":
        raise OffsetsMovedError(f"the offsets of group {group_id} are not where this batch began: {_names(partitions)}")


def check_position(tp: TopicPartition, group_id: str, stored: StoredOffset, now: TopicIdentity) -> None:
    """Raise PositionError unless the stored offset counts in this very topic and the next record is still there."""
    where = f"partition {tp.partition} of topic {tp.topic}"
    if stored.cluster_id != now.cluster_id:
        found = f"the archive read {where} from cluster {stored.cluster_id}, this one is {now.cluster_id}"
    elif stored.topic_id is not None and now.topic_id is not None and stored.topic_id != now.topic_id:
        found = f"topic {tp.topic} was deleted and made again: id {stored.topic_id} is stored, {now.topic_id} is there"
    elif stored.next_offset > now.end:
        found = f"{where} ends at offset {now.end}, but the archive has read up to {stored.next_offset}"
    elif stored.next_offset < now.beginning:
        found = (
            f"records {stored.next_offset} to {now.beginning - 1} of {where} were deleted before the archive read them"
        )
    else:
        return
    raise PositionError(f"{found}. {remedy(tp.topic, group_id)}")


def remedy(topic: str, group_id: str) -> str:
    """What an operator does about a stored offset that does not fit: reading again is safe, rows converge."""
    forget = f"DELETE FROM sink_offsets WHERE group_id = '{group_id}' AND topic = '{topic}'"  # noqa: S608 - for a person
    return f"Where that is meant, forget the offsets and read from the beginning, which is safe to repeat: {forget}"


def _names(partitions: Iterable[TopicPartition]) -> str:
    return ", ".join(f"{tp.topic}/{tp.partition}" for tp in partitions)
