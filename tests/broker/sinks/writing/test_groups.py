"""Instances share the partitions; one that lost them and writes late changes nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import ConsumerRecord, TopicPartition

from core import metrics
from core.archive.connection import Pool
from core.settings import Settings
from schemas.nostr.event import Event, encode_event
from schemas.records import event_record
from sinks.integrity.digest import archive_digest
from sinks.tables import TABLES
from sinks.tables.topic_table import Record
from sinks.tables.topic_tables.events import EVENTS
from sinks.writing.batch import Batch
from sinks.writing.stored_offsets import OffsetsMovedError, TopicIdentity, begin_offsets, stored_offsets
from sinks.writing.writer import Writer
from tests.broker.sinks.material import event, feed, running_sink
from tests.environment import environment
from tests.waiting import until

pytestmark = pytest.mark.broker

TP = TopicPartition("events", 0)


async def test_two_instances_share_the_work_and_one_goes_on_alone(settings: Settings, pool: Pool) -> None:
    async with feed(settings) as fed, running_sink(settings) as first:
        await fed.events(event(number) for number in range(200))
        async with running_sink(settings) as second:

            async def shared() -> bool:
                half = len(TABLES.topics) * settings.kafka.partitions // 2
                return first.status()["partitions"] == second.status()["partitions"] == half

            await until(shared, "each has half of the partitions")
            await fed.events(event(number) for number in range(200, 400))
            await fed.sightings([event(number) for number in range(400)], "wss://a.example", 5)
        await fed.events(event(number) for number in range(400, 600))

        async def complete() -> bool:
            return await archive_digest(pool) == fed.digest()

        await until(complete, "the archive holds everything")


async def test_the_lag_of_each_partition_is_told_by_the_logical_name_of_its_topic(settings: Settings) -> None:
    metrics.LAG.clear()
    async with feed(settings) as fed, running_sink(settings) as sink:
        await fed.events([event(1)])

        async def told() -> bool:
            return sink.status()["lag"] is not None and bool(labelled())

        def labelled() -> set[tuple[str, str]]:
            (family,) = metrics.LAG.collect()
            return {(sample.labels["topic"], sample.labels["partition"]) for sample in family.samples}

        await until(told, "the lag is told")
        partitions = map(str, range(settings.kafka.partitions))
        assert labelled() <= set(itertools.product([table.topic for table in TABLES.topics], partitions))


async def test_of_two_batches_from_the_same_offset_one_is_written(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        await begin_offsets(one, "g", {TP: TopicIdentity("c", None, 0, 0)})
        outcomes = await asyncio.gather(
            Writer("g").write(one, batch_of(event(1), event(2))),
            Writer("g").write(two, batch_of(event(1), event(2), event(3))),
            return_exceptions=True,
        )
        (written,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [OffsetsMovedError]
        assert await pool.fetchval("SELECT count(*) FROM events") == written["events"]
        assert (await stored_offsets(one, "g"))[TP].next_offset == written["events"]


async def test_a_zombie_writes_nothing_late(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await begin_offsets(connection, "g", {TP: TopicIdentity("c", None, 0, 0)})
        zombie, successor = Writer("g"), Writer("g")
        late = batch_of(event(1), event(2))
        await successor.write(connection, batch_of(event(1)))
        with pytest.raises(OffsetsMovedError):
            await zombie.write(connection, late)
        assert await pool.fetchval("SELECT count(*) FROM events") == 1
        assert (await stored_offsets(connection, "g"))[TP].next_offset == 1


async def test_a_batch_of_which_one_partition_moved_on_is_rolled_back_whole(pool: Pool) -> None:
    other = TopicPartition("events", 1)
    async with pool.acquire() as connection:
        await begin_offsets(connection, "g", dict.fromkeys((TP, other), TopicIdentity("c", None, 0, 0)))
        await Writer("g").write(connection, batch_of(event(1)))
        late = batch_of(event(1), event(2))
        add(late, other, event(3))
        with pytest.raises(OffsetsMovedError):
            await Writer("g").write(connection, late)
        assert await pool.fetchval("SELECT count(*) FROM events") == 1
        stored = await stored_offsets(connection, "g")
        assert (stored[TP].next_offset, stored[other].next_offset) == (1, 0)


def batch_of(*events: Event) -> Batch:
    """A batch of partition 0, read from its beginning."""
    batch = Batch(1)
    add(batch, TP, *events)
    return batch


def add(batch: Batch, tp: TopicPartition, *events: Event) -> None:
    """Add what was read of a partition from its beginning."""
    records: list[Record] = [
        ConsumerRecord(
            tp.topic, tp.partition, n, n, 0, None, event_record.encode(encode_event(made), None, 1, {}), 0, 0, 0, ()
        )
        for n, made in enumerate(events)
    ]
    batch.add(tp, 0, records, EVENTS)


async def test_a_frozen_instance_that_wakes_up_late_does_no_harm(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    # Long enough for the test to freeze it while its batch is open; how long it really takes does not matter.
    slow = settings.model_copy(update={"sink": settings.sink.model_copy(update={"batch_age_ms": 20_000})})
    partitions = len(TABLES.topics) * settings.kafka.partitions
    async with feed(settings) as fed, member(slow, tmp_path / "frozen") as frozen:
        await frozen.until(lambda status: status["ready"])
        await fed.events(event(number) for number in range(300))
        await frozen.until(lambda status: status["details"]["open_events"] == 300)
        os.kill(frozen.pid, signal.SIGSTOP)
        async with member(settings, tmp_path / "successor") as successor:
            await successor.until(
                lambda status: status["details"].get("partitions") == len(TABLES.topics) * settings.kafka.partitions
            )

            async def complete() -> bool:
                return await archive_digest(pool) == fed.digest()

            await until(complete, "the archive holds everything")
            os.kill(frozen.pid, signal.SIGCONT)
            await frozen.until(lambda status: 0 < status["details"]["partitions"] < partitions)
            await fed.events(event(number) for number in range(300, 400))
            await fed.sightings([event(number) for number in range(400)], "wss://a.example", 5)
            assert await frozen.stop() == 0
            await until(complete, "the archive holds everything")
            assert await successor.stop() == 0
        offsets = await pool.fetch("SELECT topic, partition, next_offset FROM sink_offsets")
        assert sum(row["next_offset"] for row in offsets if row["topic"].endswith("events")) == 400


class Member:
    """A sink in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port_file: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._port_file = port_file

    async def until(self, condition: Callable[[Any], bool]) -> None:
        """Wait until the status that the process serves meets a condition."""

        async def met() -> bool:
            assert self._process.poll() is None, "the sink ended"
            if not self._port_file.exists() or not self._port_file.read_text():
                return False
            url = f"http://127.0.0.1:{self._port_file.read_text().strip()}/status"
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                return condition(json.loads(await response.read()))

        await until(met, "what the status shall say")

    async def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, 30)


@asynccontextmanager
async def member(settings: Settings, directory: Path) -> AsyncIterator[Member]:
    """A running member of the sink's group, killed at the end if it still runs."""
    directory.mkdir()  # noqa: ASYNC240 - the loop has nothing else to do
    ours = settings.model_copy(
        update={
            "data_dir": directory,
            # The shortest after which Kafka's defaults let a silent member be missed.
            "kafka": settings.kafka.model_copy(update={"session_timeout_s": 6.0}),
            "http": settings.http.model_copy(update={"port_file": directory / "port"}),
        }
    )
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - its pid is needed, not its output
            [sys.executable, "-m", "bigbrotr", "service", "sink"],
            cwd=Path(__file__).parents[4],
            env=environment(ours),
            stderr=log,
        )
    try:
        yield Member(process, directory / "port")
    finally:
        if process.poll() is None:
            process.kill()
            process.send_signal(signal.SIGCONT)
        process.wait()
