"""When a sink has to look which keys a topic holds: tombstones of what it reads next may be gone."""

from __future__ import annotations

import pytest

from schemas.topics import TOMBSTONES_KEPT_MS, configs
from sinks.writing.missed_tombstones import LONGEST_ABSENCE_MS, may_lack_tombstones
from sinks.writing.stored_offsets import StoredOffset, TopicIdentity

NOW_MS = 10 * TOMBSTONES_KEPT_MS
READ_MS = NOW_MS - LONGEST_ABSENCE_MS


@pytest.mark.parametrize(
    ("last_timestamp_ms", "next_offset", "expected"),
    [
        (READ_MS, 7, False),
        (READ_MS - 1, 7, True),
        (READ_MS - 1, 9, False),
        (None, 7, True),
        (None, 9, False),
    ],
    ids=["lately", "long ago", "long ago, and nothing came", "not known when", "nothing was ever there"],
)
def test_tombstones_may_be_gone_of_what_came_while_the_sink_was_away_for_long(
    last_timestamp_ms: int | None, next_offset: int, expected: bool
) -> None:
    stored = StoredOffset(next_offset, "cluster", None, last_timestamp_ms)
    assert may_lack_tombstones(stored, TopicIdentity("cluster", None, 3, 9), NOW_MS) is expected


def test_kafka_keeps_tombstones_for_longer_than_a_sink_trusts_to_meet_them() -> None:
    assert int(configs("relays")["delete.retention.ms"]) >= 2 * LONGEST_ABSENCE_MS
