"""Dispatches each record to the lane of its partition, for as long as an assignment lasts.

Faust sees one agent with one stream for each topic (`concurrency` above 1 loses data); the lanes are what runs side by
side. They are kept by topic and partition: the partitions of two topics have equal numbers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import faust
from aiokafka import TopicPartition
from faust.streams import Stream
from faust.types import TP, StreamT

from core import metrics
from processors.runtime.app import declare_topic
from processors.runtime.context import Context
from processors.runtime.lane import Lane

log = logging.getLogger(__name__)


class Lanes:
    """The lanes of the current assignment.

    Args:
        context: what the lanes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lanes: dict[TopicPartition, Lane] = {}
        self.assigned: frozenset[TopicPartition] = frozenset()
        self.has_assignment = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with the error of the first lane that fails."""

    @property
    def in_flight(self) -> int:
        """Records taken and not yet acknowledged."""
        return sum(lane.in_flight for lane in self._lanes.values())

    async def consume(self, stream: StreamT[bytes]) -> None:
        """Be an agent: take every record, acknowledge none (the lanes do). An exception here ends the process."""
        if not isinstance(stream, Stream):
            raise TypeError(f"stream: must be a Faust stream with manual acknowledgement, not {type(stream).__name__}")
        async for event in stream.noack().events():
            message = event.message
            await self.lane(TopicPartition(message.topic, message.partition)).put(event)

    def revoked(self) -> None:
        """End the assignment. Faust has waited for open records; acknowledgements that still come are not heard."""
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()
        self._context.handler.revoked()
        self.has_assignment = False
        self.assigned = frozenset()

    def given(self, partitions: frozenset[TopicPartition]) -> None:
        """Begin an assignment."""
        self.revoked()
        self.assigned = partitions
        self.has_assignment = True
        self._context.handler.assigned(partitions)
        metrics.REBALANCES.inc()
        log.info("partitions assigned: %s", ", ".join(f"{topic} {number}" for topic, number in sorted(partitions)))

    def lane(self, partition: TopicPartition) -> Lane:
        """The lane of a partition, made when its first record comes."""
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = Lane(partition, self._context, self._fail)
        return lane

    def _fail(self, error: BaseException) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)


def attach(app: faust.App, topics: Iterable[str], lanes: Lanes) -> None:
    """Make an agent of an app for each topic (full name) and have the app tell of its assignments."""

    async def agent(stream: StreamT[bytes]) -> None:
        await lanes.consume(stream)

    async def on_revoked(*_: object, **_signal: object) -> None:
        lanes.revoked()

    async def on_assigned(*arguments: Any, **_signal: object) -> None:
        assigned: set[TP] = arguments[1]
        lanes.given(frozenset(TopicPartition(tp.topic, tp.partition) for tp in assigned))

    for topic in topics:
        app.agent(declare_topic(app, topic), name=topic, concurrency=1)(agent)
    # Signals hold their receivers weakly unless told otherwise.
    app.on_partitions_revoked.connect(on_revoked, weak=False)
    app.on_partitions_assigned.connect(on_assigned, weak=False)
