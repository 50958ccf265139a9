"""An archive is believed only where the topics have all that it has."""

from __future__ import annotations

from uuid import UUID

import pytest
from aiokafka import TopicPartition

from core.archive.origin import ORIGIN_PARTITION, Standing, doubt

EVENTS, SIGHTINGS = UUID(int=1), UUID(int=2)
IDS: dict[str, UUID | None] = {"nostr.events": EVENTS, "nostr.sightings": SIGHTINGS}
ENDS = {TopicPartition("nostr.events", 0): 5, TopicPartition("nostr.sightings", 0): 5}
ROWS = [
    Standing("nostr.coverage", 0, 99, "another", None),
    *(
        Standing(topic, partition, offset, "cluster", topic_id)
        for topic, topic_id in IDS.items()
        for partition, offset in ((ORIGIN_PARTITION, 0), (0, 5))
    ),
]


def test_rows_that_came_from_the_present_topics_are_believed() -> None:
    assert doubt(ROWS, "cluster", IDS, ENDS) is None


@pytest.mark.parametrize(
    ("rows", "cluster_id", "ids", "ends", "reason"),
    [
        ([row for row in ROWS if row.partition >= 0], "cluster", IDS, ENDS, "does not tell that all it has came from"),
        (ROWS, "new", IDS, ENDS, "was filled from another topic nostr.events"),
        (ROWS, "cluster", IDS | {"nostr.sightings": UUID(int=3)}, ENDS, "from another topic nostr.sightings"),
        (ROWS, "cluster", IDS | {"nostr.events": None}, ENDS, "the broker is too old"),
        (ROWS, "cluster", IDS, dict.fromkeys(ENDS, 4), "read further than partition 0 of topic nostr.events"),
    ],
)
def test_doubts_are_named(
    rows: list[Standing],
    cluster_id: str,
    ids: dict[str, UUID | None],
    ends: dict[TopicPartition, int],
    reason: str,
) -> None:
    assert reason in (doubt(rows, cluster_id, ids, ends) or "")
