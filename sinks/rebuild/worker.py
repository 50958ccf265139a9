"""Worker process of a rebuild: the sink's loop over a share of the partitions, without a group, to their ends."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection as Channel
from typing import NamedTuple

import uvloop
from aiokafka import TopicPartition

from core import kafka, log, postgres
from core.flag import Flag
from core.parent import die_with_parent
from core.service import gc_tuning
from core.settings import Settings
from core.tasks import run_until_first
from core.waiting import brief
from sinks.erasure import open_erasures
from sinks.tables import TABLES, Tables
from sinks.writing.archiver import Archiver
from sinks.writing.consumer import Chunk, GroupReader

_log = logging.getLogger(__name__)

# How often a worker reports its progress.
_REPORT_S = 0.25
# Unlike the sink's, rows need not be visible soon: batches close when they are full. This only ends the last ones.
_BATCH_AGE_S = 2.0
# For batches, and beside them for rules of erasure that come meanwhile.
_CONNECTIONS = 2


class Report(NamedTuple):
    """What a worker reports: when it begins, which offsets it has committed, that it is done, why it failed."""

    offsets: dict[TopicPartition, int]
    done: bool = False
    failure: str | None = None


class PartitionReader(GroupReader):
    """Reads partitions that no other process can take, up to their ends."""

    def __init__(self, group_id: str, ends: Mapping[TopicPartition, int]) -> None:
        super().__init__(group_id)
        self._ends = ends

    async def poll(self, timeout_s: float, max_records: int) -> list[Chunk]:
        """Read on, but not in partitions that have come to their ends: why, says `kafka.FETCH_MAX_WAIT_MS`."""
        positions = self.positions()
        self._consumer.pause(*[tp for tp, end in self._ends.items() if positions.get(tp, -1) >= end])
        return await super().poll(timeout_s, max_records)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Do nothing: Kafka takes no offsets from a consumer without a group."""

    async def has_read_all(self) -> bool:
        """Whether every partition was read to its end.

        The client's position tells it where compaction has removed the last records. It comes second: in a partition
        that is kept still, the client stands at the record that is read again as a check.
        """
        if self.unplaced():
            return False
        positions = self.positions()
        for tp, end in self._ends.items():
            if positions[tp] < end and await self._consumer.position(tp) < end:
                return False
        return True


def work(settings: Settings, ends: dict[TopicPartition, int], channel: Channel) -> None:
    """Be the process. `settings` name the target; it ends when the partitions of `ends` were read up to there."""
    # An interrupt at the terminal is the parent's to handle; an end of the parent is ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    log.configure(settings)
    logging.getLogger().setLevel(max(logging.WARNING, logging.getLogger().level))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(fill(settings, ends, lambda: _ready(channel), channel.send))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent says it
        _log.debug("the rebuild fails", exc_info=True)
        channel.send(Report({}, failure=brief(error)))


def _ready(channel: Channel) -> None:
    """Report that it is ready, and wait until the other workers are ready too: nothing else runs here meanwhile."""
    channel.send(Report({}))
    channel.recv()


async def fill(
    settings: Settings,
    ends: Mapping[TopicPartition, int],
    ready: Callable[[], None],
    tell: Callable[[Report], None],
    tables: Tables = TABLES,
) -> None:
    """Read partitions to their ends; `ready` is called, and may block, before the first record."""
    async with AsyncExitStack() as closing:
        pool = await postgres.pool(settings, min_size=1, max_size=_CONNECTIONS)
        closing.callback(pool.terminate)
        publisher = await kafka.open_publisher(settings)
        closing.push_async_callback(publisher.close)
        client = await kafka.consumer(settings, auto_offset_reset="none", fetch_max_wait_ms=kafka.FETCH_MAX_WAIT_MS)
        closing.push_async_callback(kafka.stop_client, client)
        erasures = await open_erasures(settings, pool, publisher, tables)
        closing.push_async_callback(erasures.close)
        await erasures.start()
        client.assign(list(ends))
        reader = PartitionReader(settings.sink.group_id, ends)
        reader.attach(client)
        archiver = Archiver(
            settings,
            reader,
            pool,
            publisher,
            erasures.eraser,
            stopping=Flag(),
            batch_age_s=_BATCH_AGE_S,
            tables=tables,
        )
        gc_tuning.settle()
        ready()
        await run_until_first(_read(archiver, reader, tell), erasures.run())
        tell(Report(archiver.committed, done=True))


async def _read(archiver: Archiver, reader: PartitionReader, tell: Callable[[Report], None]) -> None:
    loop = asyncio.get_running_loop()
    told_at = loop.time()
    committed = False
    while not committed:
        while not await reader.has_read_all():
            await archiver.step()
            if loop.time() - told_at >= _REPORT_S:
                told_at = loop.time()
                tell(Report(archiver.committed))
        await archiver.flush()
        # A batch that was dropped is read again: then no position is trusted any more.
        committed = not reader.unplaced()
