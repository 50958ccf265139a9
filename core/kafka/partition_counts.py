"""Checks partition counts, which are fixed at creation: with another count a key would change its partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.kafka.topic_admin import TopicsError
from core.settings.kafka import MOST_PARTITIONS
from core.settings.model import Settings
from schemas.partition import is_partition_count
from schemas.topic_row import Topic
from schemas.topics import TOPICS


def refuse_other_counts(settings: Settings, present: Mapping[str, int], rows: Sequence[Topic] = TOPICS) -> None:
    """Refuse topics that have another number of partitions than the table and `kafka.partitions` say.

    Args:
        settings: of the process.
        present: the partition counts of the topics that Kafka has, by full name.
        rows: the topic table.

    Raises:
        TopicsError: one has; the message states what can be done.
    """
    prefix, configured = settings.kafka.topic_prefix, settings.kafka.partitions
    found = {row: count for row in rows if (count := present.get(prefix + row.name))}
    adjustable = {count for row, count in found.items() if row.partitions is None}
    for row, count in found.items():
        if count == row.partition_count(configured):
            continue
        if row.partitions is None:
            rule = f"kafka.partitions (BIGBROTR_KAFKA__PARTITIONS) is {configured}"
            remedy = _remedy(adjustable)
        else:
            rule = f"this version makes it with {row.partitions}"
            remedy = "delete it where nothing needs it, or"
        raise TopicsError(
            f"the topic {prefix}{row.name} has {count} partitions and {rule}: a count cannot be changed afterwards; "
            f"{remedy} choose another kafka.topic_prefix (BIGBROTR_KAFKA__TOPIC_PREFIX) for new topics"
        )


def _remedy(counts: set[int]) -> str:
    """Describe what is left to do besides new topics, without settings that would be refused or help one topic only.

    Args:
        counts: of the topics that are there.
    """
    count = min(counts)
    if len(counts) > 1:
        why = f"the topics with this prefix differ ({', '.join(map(str, sorted(counts)))} partitions)"
    elif count > MOST_PARTITIONS or not is_partition_count(count):
        why = f"kafka.partitions takes only powers of two from 1 to {MOST_PARTITIONS}"
    else:
        return f"set it to {count}, or"
    return f"{why}, so delete those that nothing needs, or"
