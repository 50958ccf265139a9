"""`topics trim` on a real Kafka: what a processor is done with goes, and no bundle is missed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from aiokafka import TopicPartition

from core import kafka
from core.kafka.topics import create_topics, describe_topics
from core.settings import Settings
from schemas.topics import DAY_MS, physical
from tests.broker.bigbrotr.conftest import Command, started
from tests.broker.core.away import free_port
from tests.broker.processors.harness import (
    Process,
    alter,
    bundles,
    committed,
    date_by_writers,
    event_ids,
    line,
    processor,
)
from tests.proxy import proxy
from tests.unit.processors.material import event, wire
from tests.waiting import until

pytestmark = pytest.mark.broker

OLD_MS = 8 * DAY_MS  # a day more than bundles are kept by default
YOUNG_MS = 6 * DAY_MS


class Made(NamedTuple):
    """A bundle of one event."""

    event_id: str
    partition: int
    value: bytes


def made_of(name: str, count: int, settings: Settings) -> list[Made]:
    """New events, each in a bundle of its own."""
    events = [event(f"{name} {number}") for number in range(count)]
    made = bundles([line(each.id, wire(each)) for each in events], settings.kafka.partitions, size=1)
    return [Made(each.id, *bundle) for each, bundle in zip(events, made, strict=True)]


def counts(*made: Made) -> dict[int, int]:
    """Bundles by partition, which are offsets where these are all that ever came."""
    return dict(sorted(Counter(each.partition for each in made).items()))


def ids(*made: Made) -> list[str]:
    return sorted(each.event_id for each in made)


async def produce(settings: Settings, made: Iterable[Made], age_ms: int) -> None:
    """Write bundles, one after the other, as a connector did that long ago."""
    topic, moment_ms = physical(settings.kafka.topic_prefix, "raw.bundles"), time.time_ns() // 1_000_000 - age_ms
    producer = await kafka.producer(settings)
    for each in made:
        await producer.send_and_wait(topic, each.value, partition=each.partition, timestamp_ms=moment_ms)
    await kafka.stop_client(producer)


async def begins(settings: Settings) -> dict[str, dict[int, int]]:
    """Where each topic begins."""
    return {state.name: state.begin_offsets for state in await describe_topics(settings)}


async def commit(settings: Settings, offsets: dict[int, int]) -> None:
    """Say where the processor's group is, as the group does."""
    topic = physical(settings.kafka.topic_prefix, "raw.bundles")
    consumer = await kafka.consumer(settings, group_id=settings.processor.group_id)
    consumer.assign([TopicPartition(topic, number) for number in offsets])
    await consumer.commit({TopicPartition(topic, number): offset for number, offset in offsets.items()})
    await kafka.stop_client(consumer)


async def judged_to(settings: Settings, ends: dict[int, int], folder: Path) -> None:
    """Run a processor until its group is there, which must not have met a bundle that was gone."""

    async def there() -> bool:
        return await committed(settings) == ends

    with processor(settings, folder) as running:
        await running.ready()
        await until(there, "all is committed")
        assert_nothing_skipped(running)
        assert await running.stop() == 0, running.log()
    assert "were deleted" not in running.log()


def assert_nothing_skipped(running: Process) -> None:
    assert "bigbrotr_skipped_bundles_total 0.0" in running.get("/metrics")[1].decode()


@pytest.fixture
async def ours(settings: Settings) -> Settings:
    """Settings with topics made, bundles dated as they are sent, and a group that gives a dead member up soon."""
    await create_topics(settings)
    await date_by_writers(settings, "raw.bundles")
    quick = settings.kafka.model_copy(update={"session_timeout_s": 6.0})
    return settings.model_copy(update={"kafka": quick})


async def test_what_was_judged_and_is_old_goes_and_a_processor_goes_on_without_a_loss(
    ours: Settings, command: Command, tmp_path: Path
) -> None:
    old, unread, later = made_of("old", 40, ours), made_of("unread", 40, ours), made_of("later", 10, ours)
    # In the other two partitions the group's offset decides.
    young = [each for each in made_of("young", 20, ours) if each.partition < 2]
    assert list(counts(*old)) == list(counts(*unread)) == [0, 1, 2, 3]
    assert list(counts(*young)) == [0, 1]

    await produce(ours, old, OLD_MS)
    await produce(ours, young, YOUNG_MS)
    await judged_to(ours, counts(*old, *young), tmp_path)
    await produce(ours, unread, OLD_MS)
    untouched = await begins(ours)

    would = (await command("topics", "trim", "--dry-run", "--json")).json()
    assert await begins(ours) == untouched
    done = (await command("topics", "trim", "--json")).json()
    assert await begins(ours) == untouched | {"raw.bundles": counts(*old)}
    assert (would.pop("dry_run"), done.pop("dry_run")) == (True, False)
    del would["time_ms"], done["time_ms"]
    assert would == done
    assert (done["deleted"], done["remaining"], done["left_alone"]) == (40, len(young) + 40, [])
    assert {part["partition"]: part["begin_offset"] for part in done["partitions"]} == counts(*old)

    again = await command("topics", "trim")
    assert (again.returncode, again.stdout) == (0, f"{done['topic']}: 0 bundles deleted, {done['remaining']} remain\n")

    # In two partitions the group's offset is exactly where they begin now.
    await judged_to(ours, counts(*old, *young, *unread), tmp_path)
    assert sorted(await event_ids(ours)) == ids(*old, *young, *unread)

    told = await command("topics", "trim", BIGBROTR_KAFKA__BUNDLES_KEEP_DAYS="0")
    assert told.stdout.splitlines()[4:] == [f"{done['topic']}: {done['remaining']} bundles deleted, 0 remain"]
    assert (await begins(ours))["raw.bundles"] == counts(*old, *young, *unread)

    # Every partition is empty, and begins where the group is.
    await produce(ours, later, 0)
    await judged_to(ours, counts(*old, *young, *unread, *later), tmp_path)
    assert sorted(await event_ids(ours)) == ids(*old, *young, *unread, *later)

    reached = await command("reprocess", "--since", str(int(time.time()) - OLD_MS // 1000 - 60), "--json")
    assert reached.json()["bundles"] == len(later)
    assert "4 partitions of" in reached.stderr
    assert "kafka.bundles_keep_days" in reached.stderr


async def test_a_longer_keep_time_holds_for_what_is_left_of_a_shorter_one(ours: Settings, command: Command) -> None:
    """Kafka looks for young records in the segments of those that are gone, and says that there are none."""
    early, late = made_of("early", 20, ours), made_of("late", 20, ours)
    await produce(ours, early, YOUNG_MS)
    await commit(ours, counts(*early))
    await command("topics", "trim", BIGBROTR_KAFKA__BUNDLES_KEEP_DAYS="0")
    await produce(ours, late, YOUNG_MS - 2 * DAY_MS)  # in segments of their own, which are closed after a day
    await commit(ours, counts(*early, *late))
    assert (await command("topics", "trim", "--json")).json()["deleted"] == 0
    assert (await begins(ours))["raw.bundles"] == counts(*early)


async def test_a_new_group_begins_where_the_partitions_begin(ours: Settings, command: Command, tmp_path: Path) -> None:
    old, young = made_of("old", 20, ours), made_of("young", 20, ours)
    await produce(ours, old, OLD_MS)
    await produce(ours, young, YOUNG_MS)
    await commit(ours, counts(*old, *young))
    assert (await command("topics", "trim", "--json")).json()["deleted"] == 20
    other = ours.processor.model_copy(update={"group_id": f"{ours.processor.group_id}-2"})
    await judged_to(ours.model_copy(update={"processor": other}), counts(*old, *young), tmp_path)
    assert sorted(await event_ids(ours)) == ids(*young)


async def test_nothing_goes_of_which_the_group_does_not_say_that_it_was_read(ours: Settings, command: Command) -> None:
    old = made_of("old", 40, ours)
    await produce(ours, old, OLD_MS)
    ends = counts(*old)
    never = await command("topics", "trim")
    assert never.returncode == 0
    assert never.stdout.endswith(
        "raw.bundles: 0 bundles deleted, 40 remain; 4 partitions left alone, of which "
        f"{ours.processor.group_id} has no offset that counts\n"
    )
    # At its end, behind its end as of an earlier topic, in its middle, never.
    await commit(ours, {0: ends[0], 1: ends[1] + 1, 2: 1})
    assert (await command("topics", "trim", "--json")).json()["left_alone"] == [1, 3]
    assert (await begins(ours))["raw.bundles"] == {0: ends[0], 1: 0, 2: 1, 3: 0}
    # Below the beginning, as after a reset by hand.
    await commit(ours, {0: 0})
    assert (await command("topics", "trim", "--json")).json()["deleted"] == 0


async def test_without_topics_it_fails_and_says_how_they_are_made(command: Command) -> None:
    done = await command("topics", "trim")
    assert (done.returncode, done.stdout) == (1, "")
    assert "raw.bundles: `bigbrotr topics create` makes it" in done.stderr


@asynccontextmanager
async def janitor(settings: Settings, log: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command (`topics trim --every 1s`) as a process; one that still runs at the end of the block is killed."""
    arguments = words or ("topics", "trim", "--every", "1s")
    port_file = {"BIGBROTR_HTTP__PORT_FILE": str(log.with_suffix(".port"))}
    with log.open("wb") as output:
        async with started(settings, *arguments, output=output, more=port_file) as process:
            yield process


async def told(log: Path, text: str, times: int = 1) -> None:
    """Wait until it has said this so often."""

    async def said() -> bool:
        return (await asyncio.to_thread(log.read_text)).count(text) >= times

    await until(said, "the log says it")


async def readiness(log: Path) -> tuple[int, str]:
    """Ask the janitor of this log whether it can do its work, as a container's health check does."""
    port = int(log.with_suffix(".port").read_text())
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/readyz") as answer:
        return answer.status, await answer.text()


async def stopped(process: asyncio.subprocess.Process) -> float:
    """End it as a container is ended, and return how many seconds that took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    return time.monotonic() - began


async def test_the_janitor_trims_again_and_again_and_waits_for_a_kafka_that_is_away(
    ours: Settings, tmp_path: Path
) -> None:
    old = made_of("old", 40, ours)
    await produce(ours, old, OLD_MS)
    port, real = free_port(), int((ours.kafka.bootstrap_servers or "").rsplit(":", 1)[1])
    behind = ours.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{port}"})
    log = tmp_path / "janitor.log"

    async def begin_at(wanted: dict[int, int]) -> None:
        async def there() -> bool:
            return (await begins(ours))["raw.bundles"] == wanted

        await until(there, "all is committed")

    away = f"waiting for Kafka at 127.0.0.1:{port}"
    async with janitor(ours.model_copy(update={"kafka": behind}), log) as process:
        await told(log, away, 1)
        async with proxy(("127.0.0.1", real), port):
            await told(log, "40 remain; 4 partitions left alone", 2)
            await commit(ours, {0: 1, 1: 1, 2: 1, 3: 1})
            await begin_at(dict.fromkeys(range(4), 1))
        await told(log, away, 2)
        await commit(ours, counts(*old))
        async with proxy(("127.0.0.1", real), port):
            await begin_at(counts(*old))
        assert process.returncode is None
        assert await stopped(process) < 3, log.read_text()
    assert f"{physical(ours.kafka.topic_prefix, 'raw.bundles')}/0: 1 deleted, begins at 1" in log.read_text()


async def test_the_janitor_waits_for_topics_and_is_not_ready_meanwhile(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "janitor.log"
    async with janitor(settings, log) as process:
        await told(log, "raw.bundles: `bigbrotr topics create` makes it")
        status, why = await readiness(log)
        assert status == 503
        assert "waiting for Kafka to trim raw.bundles" in why
        await create_topics(settings)
        await told(log, "0 bundles deleted, 0 remain")
        assert (await readiness(log))[0] == 200
        assert await stopped(process) < 3, log.read_text()


async def test_the_janitor_is_a_service_like_others_and_logs_what_a_pass_did(ours: Settings, tmp_path: Path) -> None:
    old = made_of("old", 40, ours)
    await produce(ours, old, OLD_MS)
    await commit(ours, counts(*old))
    log = tmp_path / "janitor.log"
    async with janitor(ours, log, "service", "janitor") as process:
        await told(log, "40 bundles deleted, 0 remain")
        assert (await readiness(log))[0] == 200
        assert await stopped(process) < 3, log.read_text()


async def test_a_janitor_that_waits_for_kafka_ends_as_soon_as_it_is_told(ours: Settings, tmp_path: Path) -> None:
    nowhere = ours.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    log = tmp_path / "janitor.log"
    async with janitor(ours.model_copy(update={"kafka": nowhere}), log) as process:
        await told(log, "waiting for Kafka")
        assert await stopped(process) < 3, log.read_text()


async def test_what_kafka_refuses_is_a_failure(ours: Settings, command: Command) -> None:
    """It deletes no records of a topic that is only compacted."""
    old = made_of("old", 40, ours)
    await produce(ours, old, OLD_MS)
    await commit(ours, counts(*old))
    await alter(ours, "raw.bundles", {"cleanup.policy": "compact"})

    done = await command("topics", "trim")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Kafka refuses to trim raw.bundles: PolicyViolationError" in done.stderr
    assert (await begins(ours))["raw.bundles"] == dict.fromkeys(range(4), 0)
