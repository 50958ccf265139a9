"""Which stored offsets may be read on from, and what is said about the others."""

from __future__ import annotations

from uuid import UUID

import pytest
from aiokafka import TopicPartition

from sinks.writing.stored_offsets import PositionError, StoredOffset, TopicIdentity, check_position

TP = TopicPartition("nostr.events", 3)
ONE, TWO = UUID(int=1), UUID(int=2)
STORED = StoredOffset(10, "cluster", ONE, 1000)
NOW = TopicIdentity("cluster", ONE, 0, 20)


@pytest.mark.parametrize(
    "now",
    [NOW, NOW._replace(beginning=10), NOW._replace(end=10), NOW._replace(topic_id=None)],
    ids=["between", "at the beginning", "at the end", "a broker that knows no topic ids"],
)
def test_an_offset_within_the_same_topic_is_taken(now: TopicIdentity) -> None:
    check_position(TP, "group", STORED, now)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (NOW._replace(cluster_id="other"), "cluster other|this one is other"),
        (NOW._replace(topic_id=TWO), "made again"),
        (NOW._replace(end=9), "ends at offset 9"),
        (NOW._replace(beginning=11), "records 10 to 10 .* were deleted"),
    ],
)
def test_any_other_is_an_error_with_a_remedy(now: TopicIdentity, said: str) -> None:
    with pytest.raises(PositionError, match=said) as caught:
        check_position(TP, "group", STORED, now)
    assert "DELETE FROM sink_offsets WHERE group_id = 'group' AND topic = 'nostr.events'" in str(caught.value)
