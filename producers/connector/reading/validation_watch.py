"""Tells `Pacing` what Kafka says: which bundles are durable, and up to where the processor has committed them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NoReturn

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from core import kafka, metrics
from core.tasks import run_until_first
from producers.bundler import Bundler
from producers.connector.reading.pacing import Pacing

LOOK_EVERY_S = 0.5
"""A request to Kafka, and one for the coordinator: 0.6 ms of processor time."""


class ValidationWatch:
    """Watches one consumer group, until cancelled."""

    def __init__(
        self,
        pacing: Pacing,
        bundler: Bundler,
        admin: AIOKafkaAdminClient,
        group_id: str,
        partitions: Sequence[TopicPartition],
    ) -> None:
        """Watch how far a group is in the partitions of `raw.bundles`, asking by a started client."""
        self._pacing = pacing
        self._bundler = bundler
        self._admin = admin
        self._group_id = group_id
        self._partitions = list(partitions)

    async def run(self) -> None:
        """Watch without end.

        Raises:
            Exception: what failed the send buffer, or Kafka refuses to tell.
        """
        # Beside each other: what is sent may be waited for while relays wait for the next look.
        await run_until_first(self._note(), self._look())

    async def _note(self) -> NoReturn:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            noted = self._pacing.note()
            if noted is not None:
                await self._bundler.flushed()
                self._pacing.published(noted, time.monotonic())

    async def _look(self) -> NoReturn:
        committed: dict[int, int] = {}
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._pacing.waiting:
                try:
                    committed = await self._committed()
                except Exception as error:
                    # As if the processor stood still: relays are read on in half a minute at the latest.
                    if not kafka.is_transient(error):
                        raise
            self._pacing.look(committed, time.monotonic())
            metrics.VALIDATION_LAG.set(self._pacing.lag_s)

    async def _committed(self) -> dict[int, int]:
        found = await kafka.committed(self._admin, self._group_id, self._partitions)
        return {tp.partition: offset for tp, offset in found.items()}
