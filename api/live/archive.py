"""What is asked of the archive about new events: how far it was written, and which of them are hidden."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from core.archive.bounded_reader import BoundedReader, Patience, Wording
from core.archive.origin import STANDING, Standing
from core.archive.queries.hidden import hidden_statement, hidden_values
from core.archive.selection import hidden_by_policy
from core.settings import Settings
from schemas.nostr.event import Event

_PATIENCE = Patience(answer_s=5.0, turn_s=5.0, left_alone_s=1.0)
_WORDING = Wording("new events are held back", "new events are shown")
_AGAIN_S = 0.2
"""Between two questions that have no answer; none is sent in the second after one that failed."""


class Topic(NamedTuple):
    """The topic `events` by what tells it from another of the same name; `topic_id` is None of old brokers."""

    cluster_id: str
    topic_id: UUID | None
    partitions: tuple[int, ...]


class Archive:
    """Asks on connections of its own, so that no client's query has to end before.

    Args:
        settings: name the archive.
        topic: the full name of `events`.

    Attributes:
        has_answered: the last question had an answer.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self.has_answered = True
        self._topic = topic
        self._group_id = settings.sink.group_id
        self._hidden = hidden_statement(hidden_by_policy(settings))
        self._reader = BoundedReader(settings, _WORDING, logging.getLogger(__name__), _PATIENCE)

    async def standing(self) -> list[Standing] | None:
        """How far each partition was written, and of which topic; None where the archive cannot be asked."""
        rows = await self._reader.fetch(STANDING, self._group_id)
        self.has_answered = rows is not None
        if rows is None:
            return None
        standings = [Standing(*row) for row in rows]
        return [each for each in standings if each.topic == self._topic and each.partition >= 0]

    async def hidden(self, events: Sequence[Event]) -> set[str]:
        """The ids of those that must not be shown; waits until the archive can be asked."""
        values = hidden_values(events)
        while (rows := await self._reader.fetch(self._hidden, *values)) is None:
            self.has_answered = False
            await asyncio.sleep(_AGAIN_S)
        self.has_answered = True
        return {events[row["place"] - 1].id for row in rows}

    async def close(self) -> None:
        """Let the connections go."""
        await self._reader.close()


def misfit(rows: Sequence[Standing], topic: Topic, ends: Mapping[int, int]) -> str | None:
    """Return why what the archive has cannot be continued from a topic, or None.

    Args:
        rows: what the archive says of each partition.
        topic: as the broker tells it now.
        ends: of its partitions, read after `rows`.
    """
    if {row.partition for row in rows} != set(topic.partitions):
        return "the archive was not written from every partition of the topic yet: is a sink running?"
    for row in rows:
        if (row.cluster_id, row.topic_id) != (topic.cluster_id, topic.topic_id):
            return "the archive is written from another topic or cluster"
        if row.next_offset > ends[row.partition]:
            return f"the archive was written further than partition {row.partition} reaches"
    return None
