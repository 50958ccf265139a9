"""The validate agent: hands each bundle to its partition's lane and keeps what outlives an assignment.

Faust sees one agent with one stream (`concurrency` above 1 loses data); the lanes are what runs side by side.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import faust
from faust.streams import Stream
from faust.types import TP, StreamT

from core import metrics
from processors.runtime.app import declare_topic
from processors.runtime.context import Context
from processors.runtime.lane import Lane
from processors.validate.seen import SeenSet

log = logging.getLogger(__name__)


class Validator:
    """The state of the validate agent: lanes of the current assignment, seen-sets of the partitions it has.

    Args:
        context: what the lanes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: dict[int, SeenSet] = {}
        self._lanes: dict[int, Lane] = {}
        self.assigned: frozenset[int] = frozenset()
        self.has_assignment = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with the error of the first lane that fails."""

    @property
    def in_flight(self) -> int:
        """Bundles taken and not yet acknowledged."""
        return sum(lane.in_flight for lane in self._lanes.values())

    @property
    def seen_keys(self) -> int:
        """Keys in all seen-sets; an event has two or more."""
        return sum(len(seen) for seen in self._seen.values())

    async def consume(self, stream: StreamT[bytes]) -> None:
        """Be the agent: take every bundle, acknowledge none (the lanes do). An exception here ends the process."""
        if not isinstance(stream, Stream):
            raise TypeError(f"stream: must be a Faust stream with manual acknowledgement, not {type(stream).__name__}")
        async for event in stream.noack().events():
            await self._lane(event.message.partition).put(event)

    def revoked(self) -> None:
        """End the assignment. Faust has waited for open bundles; acknowledgements that still come are not heard."""
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()
        self.has_assignment = False
        self.assigned = frozenset()

    def given(self, partitions: frozenset[int]) -> None:
        """Begin an assignment: partitions that came back keep what they have seen, others are forgotten."""
        self.revoked()
        self.assigned = partitions
        self.has_assignment = True
        for gone in self._seen.keys() - partitions:
            del self._seen[gone]
        metrics.REBALANCES.inc()
        log.info("partitions of raw.bundles assigned: %s", sorted(partitions))

    def _lane(self, partition: int) -> Lane:
        lane = self._lanes.get(partition)
        if lane is None:
            seen = self._seen.get(partition)
            if seen is None:
                seen = self._seen[partition] = SeenSet(self._context.seen_ids_per_partition)
            lane = self._lanes[partition] = Lane(partition, seen, self._context, self._fail)
        return lane

    def _fail(self, error: BaseException) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)


def attach(app: faust.App, prefix: str, validator: Validator) -> None:
    """Make the agent of an app and have the app tell of its assignments."""
    topic = declare_topic(app, prefix, "raw.bundles")

    async def validate(stream: StreamT[bytes]) -> None:
        await validator.consume(stream)

    async def on_revoked(*_: object, **_signal: object) -> None:
        validator.revoked()

    async def on_assigned(*arguments: Any, **_signal: object) -> None:
        assigned: set[TP] = arguments[1]
        validator.given(frozenset(tp.partition for tp in assigned))

    app.agent(topic, name="validate", concurrency=1)(validate)
    # Signals hold their receivers weakly unless told otherwise.
    app.on_partitions_revoked.connect(on_revoked, weak=False)
    app.on_partitions_assigned.connect(on_assigned, weak=False)
