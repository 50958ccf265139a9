"""Whether a topic keeps everything that was ever written to it: only then may what it has be left out of it."""

from __future__ import annotations

import logging

from core import kafka
from core.kafka.topics import TopicsError, TopicState, describe_topics
from core.settings import Settings
from core.waiting import until_it_works

log = logging.getLogger(__name__)

_UNLIMITED = "-1"


async def first_incomplete(settings: Settings, *names: str) -> str | None:
    """Return why one of the topics (logical names) does not keep everything, or None; waits for the broker."""

    async def ask() -> list[TopicState]:
        return await describe_topics(settings, *names)

    try:
        states = await until_it_works("Kafka to describe its topics", ask, kafka.is_transient)
    except TopicsError as error:
        return str(error)
    return next(filter(None, map(incomplete, states)), None)


def incomplete(state: TopicState) -> str | None:
    """Return why a topic does not keep everything, or None. Compaction keeps the newest record of each key."""
    if "delete" in state.configs.get("cleanup.policy", "delete"):
        for key in ("retention.ms", "retention.bytes"):
            if (value := state.configs.get(key, "not set")) != _UNLIMITED:
                return f"{key} of the topic {state.full_name} is {value}, which is a limit"
    if gone := sum(state.begin_offsets.values()):
        return f"{gone} records of the topic {state.full_name} were deleted"
    return None
