"""Tells from which topics all rows of an archive came: only then may what it has be left out of those topics.

The sink records the identity of `events` and `sightings` beside its offsets, as partition -1, when it begins to read
them into tables that are empty. An operator who has it forget its offsets, because the topics were restored, made anew
or moved, removes that record with them: then the archive holds rows that the present topics may lack, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from aiokafka import TopicPartition

ORIGIN_PARTITION = -1
"""No partition of a topic: stands for the topic as a whole."""

STANDING = "SELECT topic, partition, next_offset, cluster_id, topic_id FROM sink_offsets WHERE group_id = $1"
"""Reads what `doubt` judges by; $1 is the sink's group."""

TRUSTED = """(
    SELECT count(*) = cardinality($2::text[]) FROM sink_offsets
    JOIN unnest($2::text[], $4::uuid[]) AS wanted (topic, topic_id) USING (topic, topic_id)
    WHERE group_id = $1 AND partition = -1 AND cluster_id = $3::text
)"""
"""Whether the rows come from the topics $2 of the cluster $3 with the ids $4; in the statement that reads them, since
another archive may take the place of this one at any moment."""


class Standing(NamedTuple):
    """One row of `sink_offsets`."""

    topic: str
    partition: int
    next_offset: int
    cluster_id: str
    topic_id: UUID | None


def doubt(
    rows: Iterable[Standing], cluster_id: str, topic_ids: Mapping[str, UUID | None], ends: Mapping[TopicPartition, int]
) -> str | None:
    """Return why what an archive holds may lack in the topics, or None.

    Args:
        rows: what the archive says of itself.
        cluster_id: of the broker.
        topic_ids: the present id of each topic (full name).
        ends: their present end offsets, read after `rows`.
    """
    found = {(row.topic, row.partition): row for row in rows if row.topic in topic_ids}
    for topic, topic_id in topic_ids.items():
        if topic_id is None:
            return "the broker is too old to tell one topic from another of the same name"
        origin = found.get((topic, ORIGIN_PARTITION))
        if origin is None:
            return f"the archive does not tell that all it has came from the topic {topic}"
        if (origin.cluster_id, origin.topic_id) != (cluster_id, topic_id):
            return f"the archive was filled from another topic {topic}"
    for (topic, partition), row in found.items():
        if row.next_offset > ends.get(TopicPartition(topic, partition), 0):
            return f"the archive has read further than partition {partition} of topic {topic} reaches"
    return None
