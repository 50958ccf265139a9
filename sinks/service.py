"""The sink: verified events and sightings from Kafka become rows, batch by batch, each with the offsets it covers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from aiokafka import AIOKafkaConsumer

from core import kafka, metrics, postgres
from core.archive.connection import Pool, with_connection
from core.archive.counts import counts
from core.service import Service
from core.service.closing import ConcurrentCloser
from core.settings import Settings
from core.waiting import brief
from schemas.topics import logical
from sinks.erasure import open_erasures
from sinks.migrate import MONTHS_NEEDED, check_schema, months_ahead
from sinks.tables import contents
from sinks.tables.topic_tables.events import EVENTS
from sinks.tables.topic_tables.sightings import SIGHTINGS
from sinks.writing.archiver import Archiver
from sinks.writing.consumer import GroupReader

_log = logging.getLogger(__name__)

# How often both servers are asked, which is how old a shown lag may be, and how late an outage may show where there is
# nothing to write. Two requests each time cost a millisecond.
_LAG_S = 2.0
# Between two answers there is `_LAG_S`; a server that is silent for this long is reported as away.
_SILENT_S = 5.0
# A fetch waits for this much, or for `kafka.FETCH_MAX_WAIT_MS`: one request then carries many bundles' outputs.
_FETCH_MIN_BYTES = 64 * 1024


class SinkService(Service):
    """Writes the archive. Instances of one group share the partitions of its topics (`sinks.tables`)."""

    name: ClassVar[str] = "sink"
    progress: ClassVar[Mapping[str, str]] = {
        "archived": "bigbrotr_archived_total",
        "sightings": "bigbrotr_sightings_total",
        "refused": "bigbrotr_rejected_total",
        "lag": "bigbrotr_consumer_lag_records",
    }
    _parts: _Parts

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._lag: int | None = None
        self._answered_s = time.monotonic()
        self._months_ahead = MONTHS_NEEDED
        self._database_problem: str | None = None
        self._database_answered_s = time.monotonic()

    async def start(self) -> None:
        """Wait for PostgreSQL and Kafka, check the tables, apply what must be erased, and join the group.

        Raises SchemaError where the database is not of this version.
        """
        settings, sink = self.settings, self.settings.sink
        pool = await postgres.pool(settings)
        self.resources.callback(pool.terminate)
        await with_connection(pool, check_schema)
        closer = await self.resources.enter_async_context(ConcurrentCloser())
        publisher = await kafka.open_publisher(settings)
        closer.push(publisher.close)
        erasures = await open_erasures(settings, pool, publisher)
        closer.push(erasures.close)
        await erasures.start()
        self.spawn(erasures.run(), "erasing")
        reader = GroupReader(sink.group_id)
        consumer = await kafka.consumer(
            settings,
            *contents(settings),
            listener=reader,
            group_id=sink.group_id,
            auto_offset_reset="none",
            fetch_min_bytes=_FETCH_MIN_BYTES,
            fetch_max_wait_ms=kafka.FETCH_MAX_WAIT_MS,
        )
        closer.push(kafka.stop_client, consumer)
        reader.attach(consumer)
        archiver = Archiver(
            settings,
            reader,
            pool,
            publisher,
            erasures.eraser,
            stopping=self.stopping,
            batch_age_s=sink.batch_age_ms / 1000,
        )
        self._parts = _Parts(reader, archiver)
        self._answered_s = self._database_answered_s = time.monotonic()
        # Apart: a database that hangs must not make Kafka look silent.
        self.spawn(_observe(lambda: self._measure_lag(consumer)), "sink lag")
        self.spawn(_observe(lambda: self._look_at_archive(pool)), "sink archive")

    async def run(self) -> None:
        """Archive until the process is to stop."""
        while not self.stopping.is_set():
            await self._parts.archiver.step()

    async def drain(self) -> None:
        """Write the open batch and commit its offsets to Kafka, for tools that show lag."""
        await self._parts.archiver.flush()
        await self._parts.archiver.tell_kafka()

    def ready(self) -> str | None:
        """Name what keeps rows from being written; servers that are waited for are named by `core.waiting`."""
        reader = self._parts.reader
        if reader.generation == 0:
            return "waiting for partitions"
        if reader.unplaced():
            return "looking up where to read on"
        silent_s = time.monotonic() - self._answered_s
        if silent_s > _SILENT_S:
            return f"waiting for Kafka, which has not answered for {silent_s:.0f} s"
        if self._database_problem is not None:
            return f"PostgreSQL does not answer: {self._database_problem}"
        database_silent_s = time.monotonic() - self._database_answered_s
        if database_silent_s > _SILENT_S:
            return f"PostgreSQL has not answered for {database_silent_s:.0f} s"
        if self._months_ahead < MONTHS_NEEDED:
            return f"partitions reach only {self._months_ahead} months ahead: run `bigbrotr migrate`"
        return None

    def status(self) -> dict[str, object]:
        """Return the partitions of this instance, their lag in records, the open batch, and the months prepared."""
        return {
            "partitions": len(self._parts.reader.positions()),
            "lag": self._lag,
            "open_events": self._parts.archiver.open_events(),
            "months_ahead": self._months_ahead,
        }

    async def _look_at_archive(self, pool: Pool) -> None:
        try:
            async with asyncio.timeout(_SILENT_S), pool.acquire() as connection:
                self._months_ahead = await months_ahead(connection)
                held = await counts(connection)
        except Exception as error:
            self._database_problem = brief(error)
            raise
        self._database_problem, self._database_answered_s = None, time.monotonic()
        if held.exact:
            metrics.HELD.labels(EVENTS.topic).set(held.events)
            metrics.HELD.labels(SIGHTINGS.topic).set(held.pairs or 0)

    async def _measure_lag(self, consumer: AIOKafkaConsumer) -> None:
        positions = self._parts.reader.positions()
        metrics.LAG.clear()  # Partitions that went to another instance must not stand here with their last figure.
        lags = kafka.lags(await consumer.end_offsets(positions), {}, positions | self._parts.archiver.committed)
        for tp, lag in lags.items():
            metrics.LAG.labels(logical(self.settings.kafka.topic_prefix, tp.topic), str(tp.partition)).set(lag)
        self._lag, self._answered_s = sum(lags.values()), time.monotonic()


@dataclass(frozen=True)
class _Parts:
    """What exists once PostgreSQL and Kafka are there."""

    reader: GroupReader
    archiver: Archiver


async def _observe(measure: Callable[[], Awaitable[None]]) -> None:
    """Refresh a figure from time to time. Failures show elsewhere: these are figures for people."""
    while True:
        try:
            await measure()
        except Exception as error:
            if not kafka.is_transient(error) and not postgres.is_transient(error):
                raise
            _log.debug("figures could not be refreshed: %s", brief(error))
        await asyncio.sleep(_LAG_S)
