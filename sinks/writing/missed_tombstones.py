"""Deletes rows of keys whose tombstone came and went while the sink was away.

Kafka keeps a tombstone for a day once compaction has removed what it replaces. A sink that reads on after a longer time
meets neither, and the row would stay. So where that may be, it first reads which keys the topic holds, wholly, and
deletes the rows of others. What was added since is read afterwards, as ever.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from core.archive.connection import Connection
from schemas.topics import TOMBSTONES_KEPT_MS
from sinks.tables.topic_table import AnyTopicTable, KeysOfTopic
from sinks.writing.stored_offsets import Advance, StoredOffset, TopicIdentity, move_offsets

LONGEST_ABSENCE_MS = TOMBSTONES_KEPT_MS // 2
"""Far enough below, since our clock and the broker's may differ, and what is read on is read later than now."""


def may_lack_tombstones(stored: StoredOffset, now: TopicIdentity, now_ms: int) -> bool:
    """Whether tombstones may be gone of what comes next in a partition.

    Args:
        stored: where it is read on. Without a time, what the rows were made of is not known.
        now: what the broker says.
        now_ms: Unix time.
    """
    if stored.next_offset >= now.end:
        return False
    return stored.last_timestamp_ms is None or now_ms - stored.last_timestamp_ms > LONGEST_ABSENCE_MS


async def delete_absent(
    connection: Connection,
    *,
    group_id: str,
    table: AnyTopicTable,
    held: KeysOfTopic,
    stored: Mapping[TopicPartition, StoredOffset],
) -> int:
    """Delete rows of keys that a topic holds no longer, of the partitions of `stored`; how many there were.

    Raises:
        OffsetsMovedError: another instance reads on there: what the topic held is not what it has written.
    """
    assert table.delete_absent is not None, "asked of tables with tombstones only"
    async with connection.transaction():
        places = {
            tp: Advance(offset.next_offset, offset.next_offset, offset.last_timestamp_ms)
            for tp, offset in stored.items()
        }
        await move_offsets(connection, group_id, places)
        return await table.delete_absent(connection, held)
