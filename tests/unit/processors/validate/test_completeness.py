"""A topic that forgets must be told everything again."""

from __future__ import annotations

from typing import Any

import pytest

from core.kafka.topics import TopicState
from processors.validate.completeness import incomplete
from schemas.topics import configs


def state(name: str, begin: int = 0, **changed: str) -> TopicState:
    values: dict[str, Any] = configs(name) | {key.replace("_", "."): value for key, value in changed.items()}
    return TopicState(name, f"nostr.{name}", 2, 1, values, {0: 0, 1: begin}, {0: 9, 1: 9})


@pytest.mark.parametrize("name", ["events", "sightings"])
def test_a_topic_as_it_is_made_keeps_everything(name: str) -> None:
    assert incomplete(state(name)) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"retention_ms": "86400000"}, "retention.ms of the topic nostr.sightings is 86400000, which is a limit"),
        ({"retention_bytes": "1"}, "retention.bytes of the topic nostr.sightings is 1, which is a limit"),
        ({"begin": 3}, "3 records of the topic nostr.sightings were deleted"),
    ],
)
def test_a_limit_is_named(changed: dict[str, Any], reason: str) -> None:
    assert incomplete(state("sightings", **changed)) == reason


def test_a_limit_of_the_broker_counts_where_the_topic_has_none_of_its_own() -> None:
    made = state("sightings")
    del made.configs["retention.ms"]
    assert incomplete(made) == "retention.ms of the topic nostr.sightings is not set, which is a limit"


def test_compaction_deletes_no_event() -> None:
    assert incomplete(state("events", retention_ms="1")) is None
    assert incomplete(state("events", cleanup_policy="compact,delete", retention_ms="1")) is not None
