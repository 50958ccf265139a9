"""Topics with another number of partitions than they are to have are refused, with what can be done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.kafka.partition_counts import refuse_other_counts
from core.kafka.topic_admin import TopicsError
from core.settings import KafkaSettings, Settings
from schemas.topics import TOPICS, topic

SETTINGS = Settings(kafka=KafkaSettings(partitions=8))
FIXED = replace(topic("relays"), partitions=1)


def test_topics_that_are_absent_or_as_wanted_are_no_trouble() -> None:
    refuse_other_counts(SETTINGS, {})
    refuse_other_counts(SETTINGS, {f"nostr.{row.name}": 8 for row in TOPICS} | {"another": 3})
    refuse_other_counts(SETTINGS, {"nostr.events": 8, "nostr.relays": 1}, [topic("events"), FIXED])


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((4, 4), r"nostr\.events has 4 partitions and kafka\.partitions .* is 8: .* set it to 4, or choose"),
        ((8, 4), r"nostr\.sightings has 4 partitions .*: .* differ \(4, 8 partitions\), so delete those"),
        ((3, 3), r"nostr\.events has 3 partitions .*: .* only powers of two from 1 to 1024, so delete those"),
    ],
)
def test_the_message_says_what_would_help(counts: tuple[int, int], said: str) -> None:
    with pytest.raises(TopicsError, match=said):
        refuse_other_counts(SETTINGS, dict(zip(("nostr.events", "nostr.sightings"), counts, strict=True)))


def test_a_count_that_the_table_fixes_is_not_the_settings_matter() -> None:
    with pytest.raises(TopicsError, match=r"nostr\.relays has 8 partitions and this version makes it with 1: "):
        refuse_other_counts(SETTINGS, {"nostr.events": 8, "nostr.relays": 8}, [topic("events"), FIXED])
