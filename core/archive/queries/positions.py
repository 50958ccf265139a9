"""How far the archive has been written: the offsets of its sink."""

from __future__ import annotations

from core.archive.connection import Connection

_POSITIONS = """
SELECT partition, next_offset FROM sink_offsets WHERE group_id = $1 AND topic = $2 AND partition >= 0
"""


async def written_offsets(connection: Connection, group_id: str, topic: str) -> dict[int, int]:
    """By partition of a topic (full name), the first offset whose record is not yet written."""
    return {row["partition"]: row["next_offset"] for row in await connection.fetch(_POSITIONS, group_id, topic)}
