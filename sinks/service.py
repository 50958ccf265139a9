"""The sink: verified events and sightings from Kafka become rows, batch by batch, each with the offsets it covers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar

from aiokafka import AIOKafkaConsumer

from core import kafka, metrics, postgres
from core.archive.connection import Pool, with_connection
from core.publisher import Publisher
from core.service import Service
from core.settings import Settings
from core.waiting import brief
from schemas.topics import logical
from sinks.archiver import Archiver
from sinks.consumer import GroupReader
from sinks.erasing import open_eraser
from sinks.erasure_task import ErasureTask
from sinks.migrate import MONTHS_NEEDED, check_schema, months_ahead
from sinks.tables import contents

_log = logging.getLogger(__name__)

# How often the ends of the topics are asked for, which is how old a shown lag may be.
_LAG_S = 5.0
# Between two answers there is `_LAG_S`; a broker that is silent for this long is reported as away.
_SILENT_S = 2 * _LAG_S
# A fetch waits for this much, or for `kafka.FETCH_MAX_WAIT_MS`: one request then carries many bundles' outputs.
_FETCH_MIN_BYTES = 64 * 1024


class SinkService(Service):
    """Writes the archive. Instances of one group share the partitions of `events`, `sightings` and `coverage`."""

    name: ClassVar[str] = "sink"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._consumer: AIOKafkaConsumer | None = None
        self._publisher: Publisher | None = None
        self._pool: Pool | None = None
        self._reader: GroupReader | None = None
        self._erasures: ErasureTask | None = None
        self._archiver: Archiver | None = None
        self._observers: list[asyncio.Task[None]] = []
        self._lag: int | None = None
        self._answered_s = time.monotonic()
        self._months_ahead = MONTHS_NEEDED

    async def start(self) -> None:
        """Wait for PostgreSQL and Kafka, check the tables, apply what must be erased, and join the group.

        Raises MigrationError where the database is not of this version.
        """
        sink = self.settings.sink
        pool = self._pool = await postgres.pool(self.settings)
        await with_connection(pool, check_schema)
        self._publisher = await kafka.open_publisher(self.settings)
        eraser = await open_eraser(self.settings, self._pool, self._publisher)
        self._erasures = ErasureTask(self.settings, self._pool, eraser)
        await self._erasures.start()
        self._reader = GroupReader(sink.group_id)
        self._consumer = await kafka.consumer(
            self.settings,
            *contents(self.settings),
            listener=self._reader,
            group_id=sink.group_id,
            auto_offset_reset="none",
            fetch_min_bytes=_FETCH_MIN_BYTES,
            fetch_max_wait_ms=kafka.FETCH_MAX_WAIT_MS,
        )
        self._reader.attach(self._consumer)
        self._archiver = Archiver(
            self.settings,
            self._reader,
            self._pool,
            self._publisher,
            eraser,
            stopping=self.stopping,
            batch_age_s=sink.batch_age_ms / 1000,
        )
        self._answered_s = time.monotonic()
        consumer = self._consumer
        # Apart: a database that hangs must not make Kafka look silent.
        self._observers = [
            asyncio.create_task(self._observe(lambda: self._measure_lag(consumer)), name="sink lag"),
            asyncio.create_task(self._observe(lambda: self._count_months(pool)), name="sink months"),
        ]

    async def run(self) -> None:
        """Archive until the process is to stop."""
        archiver = self._started()
        while not self.stopping.is_set():
            await archiver.step()

    async def drain(self) -> None:
        """Write the open batch and tell Kafka how far the archive is."""
        archiver = self._started()
        await archiver.flush()
        await archiver.tell_kafka()

    async def close(self) -> None:
        """Leave the group and close every connection."""
        for observer in self._observers:
            observer.cancel()
        await asyncio.gather(*self._observers, return_exceptions=True)
        # At once: each may use up its time while Kafka is away, and together they must not use up more than one's.
        closing: list[Awaitable[object]] = []
        if self._erasures is not None:
            closing.append(self._erasures.close())
        if self._consumer is not None:
            closing.append(kafka.stop_client(self._consumer))
        if self._publisher is not None:
            closing.append(self._publisher.close())
        await asyncio.gather(*closing)
        if self._pool is not None:
            self._pool.terminate()

    def ready(self) -> str | None:
        """Name what keeps rows from being written; servers that are waited for are named by `core.waiting`."""
        if self._reader is None or self._reader.generation == 0:
            return "waiting for partitions"
        if self._reader.unplaced():
            return "looking up where to read on"
        silent_s = time.monotonic() - self._answered_s
        if silent_s > _SILENT_S:
            return f"waiting for Kafka, which has not answered for {silent_s:.0f} s"
        if self._months_ahead < MONTHS_NEEDED:
            return f"partitions reach only {self._months_ahead} months ahead: run `bigbrotr migrate`"
        return None

    def status(self) -> dict[str, object]:
        """Tell the partitions of this instance, their lag in records, the open batch, and the months prepared."""
        return {
            "partitions": len(self._reader.positions()) if self._reader is not None else 0,
            "lag": self._lag,
            "open_events": self._archiver.open_events() if self._archiver is not None else 0,
            "months_ahead": self._months_ahead,
        }

    def tick(self) -> None:
        """End the process where the observer broke, whose figures would be believed, or erasing did."""
        if self._erasures is not None:
            self._erasures.check()
        for observer in self._observers:
            if observer.done() and not observer.cancelled():
                observer.result()

    def _started(self) -> Archiver:
        assert self._archiver is not None, "start comes before run and drain"
        return self._archiver

    async def _observe(self, measure: Callable[[], Awaitable[None]]) -> None:
        """Refresh a figure from time to time. Failures show elsewhere: these are figures for people."""
        while True:
            try:
                await measure()
            except Exception as error:
                if not kafka.is_transient(error) and not postgres.is_transient(error):
                    raise
                _log.debug("figures could not be refreshed: %s", brief(error))
            await asyncio.sleep(_LAG_S)

    async def _count_months(self, pool: Pool) -> None:
        async with asyncio.timeout(_LAG_S), pool.acquire() as connection:
            self._months_ahead = await months_ahead(connection)

    async def _measure_lag(self, consumer: AIOKafkaConsumer) -> None:
        positions = self._reader.positions() if self._reader is not None else {}
        committed = self._archiver.committed if self._archiver is not None else {}
        total = 0
        metrics.LAG.clear()  # Partitions that went to another instance must not stand here with their last figure.
        for tp, end in (await consumer.end_offsets(list(positions))).items():
            lag = max(0, end - committed.get(tp, positions[tp]))
            metrics.LAG.labels(logical(self.settings.kafka.topic_prefix, tp.topic), str(tp.partition)).set(lag)
            total += lag
        self._lag, self._answered_s = total, time.monotonic()
