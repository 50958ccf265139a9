"""A processor in a process of its own on a real Kafka, bundles for it, and what it published."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psutil
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from core import kafka
from core.kafka.topic_admin import own_configs
from core.settings import Settings
from core.waiting import until_it_works
from schemas.partition import event_partition
from schemas.records.bundle import encode_line
from schemas.records.erasure import Erasure
from schemas.records.event_record import decode as decode_event
from schemas.records.rejection import Rejection
from schemas.records.sighting import decode as decode_sighting
from schemas.topics import configs, physical
from tests.environment import environment
from tests.waiting import until

PROCESSOR = (
    "import sys; from core.service import run_service; from core.settings import load_settings; "
    "from processors.service import ProcessorService; sys.exit(run_service(ProcessorService(load_settings())))"
)
DEADLINE_S = 60.0  # far above what anything here takes: it only ends a test that would hang

Line = tuple[str, bytes]
"""The id by which a connector would choose the partition, and an encoded bundle line."""


def line(event_id: str, raw: bytes, relay: str | None = "wss://a.example", seen_at_ms: int = 1_700_000_000_000) -> Line:
    return event_id, encode_line(relay, seen_at_ms, raw)


async def all_committed(settings: Settings, made: Sequence[tuple[int, bytes]]) -> None:
    """Wait until the group is past every one of these bundles, which are all that the topic holds."""
    wanted = dict(Counter(partition for partition, _ in made))

    async def done() -> bool:
        return await committed(settings) == wanted

    await until(done, "all is committed")


def bundles(lines: Iterable[Line], partitions: int, size: int = 256) -> list[tuple[int, bytes]]:
    """Group lines as a connector would: (partition, bundle), each partition's lines in their order."""
    waiting: dict[int, list[bytes]] = {}
    made = []
    for event_id, encoded in lines:
        partition = event_partition(event_id, partitions)
        group = waiting.setdefault(partition, [])
        group.append(encoded)
        if len(group) == size:
            made.append((partition, b"".join(waiting.pop(partition))))
    return made + [(partition, b"".join(group)) for partition, group in waiting.items()]


async def produce(settings: Settings, made: Sequence[tuple[int, bytes]]) -> None:
    """Write bundles to `raw.bundles` and wait until they are durable."""
    name = physical(settings.kafka.topic_prefix, "raw.bundles")
    producer = await kafka.producer(settings)
    try:
        await asyncio.gather(*[await producer.send(name, value, partition=at) for at, value in made])
    finally:
        await kafka.stop_client(producer)


async def alter(settings: Settings, name: str, values: dict[str, str]) -> None:
    """Set what Kafka is to do with a topic, and wait until the broker tells it: it learns of it from the controller."""
    admin = await kafka.admin(settings)
    try:
        full_name = physical(settings.kafka.topic_prefix, name)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, full_name, values)])

        async def told() -> bool:
            return await own_configs(admin, full_name) == values

        await until(told, f"the broker tells {values} of {name}")
    finally:
        await kafka.stop_client(admin)


async def date_by_writers(settings: Settings, name: str) -> None:
    """Let tests write records of other times than now to a topic."""
    await alter(settings, name, configs(name) | {"message.timestamp.type": "CreateTime"})


class Found(NamedTuple):
    """A record that was published; an absent key or value is empty."""

    partition: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


async def records(settings: Settings, topic: str) -> list[Found]:
    """Everything that a topic holds now, partition by partition."""
    name = physical(settings.kafka.topic_prefix, topic)
    async with AsyncExitStack() as stack:
        reader = await kafka.consumer(settings)
        stack.push_async_callback(kafka.stop_client, reader)
        every = [TopicPartition(name, at) for at in range(settings.kafka.partitions)]
        reader.assign(every)
        await reader.seek_to_beginning(*every)
        ends = await reader.end_offsets(every)
        found: dict[TopicPartition, list[Found]] = {tp: [] for tp in every}
        while any([await reader.position(tp) < ends[tp] for tp in every]):
            for tp, batch in (await reader.getmany(timeout_ms=200)).items():
                found[tp] += [
                    Found(record.partition, record.key or b"", record.value or b"", record.headers) for record in batch
                ]
        return [record for tp in every for record in found[tp]]


async def erase(settings: Settings, rules: Iterable[Erasure]) -> None:
    """Write rules to `erasures` and wait until they are durable."""
    publisher = await kafka.open_publisher(settings)
    name = physical(settings.kafka.topic_prefix, "erasures")
    try:
        for rule in rules:
            await publisher.send(name, rule.encode(), rule.key(), rule.partition(settings.kafka.partitions))
        await publisher.flush(DEADLINE_S)
    finally:
        await publisher.close()


async def event_ids(settings: Settings) -> list[str]:
    return [record.key.hex() for record in await records(settings, "events")]


async def event_bytes(settings: Settings) -> dict[str, bytes]:
    return {record.key.hex(): decode_event(record.value).raw for record in await records(settings, "events")}


async def sighted(settings: Settings) -> set[tuple[str, str]]:
    """Pairs of id and relay."""
    return {
        (event_id, group.relay)
        for record in await records(settings, "sightings")
        for group in decode_sighting(record.value)
        for event_id, _ in group.ids
    }


async def rejected(settings: Settings, topic: str = "rejections") -> list[tuple[Rejection, bytes]]:
    return [(Rejection.from_headers(record.headers), record.value) for record in await records(settings, topic)]


async def committed(settings: Settings) -> dict[int, int]:
    """The processor group's committed offsets of `raw.bundles`."""
    name = physical(settings.kafka.topic_prefix, "raw.bundles")
    return {tp.partition: offset for tp, offset in (await group_offsets(settings)).items() if tp.topic == name}


async def group_offsets(settings: Settings) -> dict[TopicPartition, int]:
    """The processor group's committed offsets."""
    admin = await kafka.admin(settings)

    async def ask() -> dict[TopicPartition, Any]:
        return dict(await admin.list_consumer_group_offsets(settings.processor.group_id))

    try:
        found = await until_it_works("the group's offsets", ask, kafka.is_transient)
    finally:
        await kafka.stop_client(admin)
    return {tp: at.offset for tp, at in found.items() if at.offset >= 0}


async def group_state(settings: Settings) -> str:
    """The state of the processor's group, as Kafka calls it: `Stable`, `PreparingRebalance` and so on."""
    admin = await kafka.admin(settings)
    try:
        (response,) = await admin.describe_consumer_groups([settings.processor.group_id])
    finally:
        await kafka.stop_client(admin)
    (group,) = response.to_object()["groups"]
    return str(group["state"])


class Process:
    """A running processor."""

    def __init__(self, popen: subprocess.Popen[bytes], port_file: Path, log: Path) -> None:
        self.popen = popen
        self._port_file = port_file
        self._log = log

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask a health endpoint; (0, b"") while there is none."""
        try:
            port = int(self._port_file.read_text())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, ValueError):
            return 0, b""

    def details(self) -> dict[str, Any]:
        body = self.get("/status")[1]
        return dict(orjson.loads(body)["details"]) if body else {}

    async def ready(self) -> None:
        async def is_ready() -> bool:
            assert self.popen.poll() is None, self.log()
            return (await asyncio.to_thread(self.get, "/readyz"))[0] == 200

        await until(is_ready, "the processor is ready")

    async def ended(self) -> int:
        """Wait for the end and return the exit code."""
        return await asyncio.to_thread(self.popen.wait, DEADLINE_S)

    async def stop(self) -> int:
        self.popen.terminate()
        return await self.ended()

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def cpu_s(self) -> float:
        times = psutil.Process(self.popen.pid).cpu_times()
        return float(times.user + times.system)

    def log(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def processor(
    settings: Settings, directory: Path, *, arguments: Sequence[str] = ("-c", PROCESSOR), name: str = "p"
) -> Iterator[Process]:
    """Run a processor with these settings; one that still runs at the end of the block is killed."""
    port_file, log = directory / f"{name}.port", directory / f"{name}.log"
    port_file.unlink(missing_ok=True)
    env = environment(settings, BIGBROTR_DATA_DIR=str(directory), BIGBROTR_HTTP__PORT_FILE=str(port_file))
    with log.open("wb") as output:
        popen = subprocess.Popen([sys.executable, *arguments], env=env, stdout=output, stderr=output)
    try:
        yield Process(popen, port_file, log)
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.wait()
