"""Look at a stack from outside: its processes, its topics and its tables."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from core.kafka import connection_options
from core.settings import Settings
from deploy.embedded.broker_address import BrokerAddress
from deploy.embedded.paths import DataPaths
from deploy.embedded.servers.launch import SERVERS
from deploy.embedded.stack import Servers
from deploy.embedded.state import StackState, read_state

PATIENCE_S = 60.0  # no test is decided by it; it bounds how long a broken one takes


class Holder:
    """A stack held by a process of its own, which ends with the block at the latest."""

    def __init__(self, data_dir: Path, names: tuple[str, ...] = SERVERS) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.broker.embedded.holder", str(data_dir), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def addresses(self) -> tuple[str, str]:
        """Wait until the servers are ready."""
        assert self.process.stdout is not None
        broker, dsn = json.loads(self.process.stdout.readline())
        return broker, dsn

    def leave(self) -> None:
        """Let the stack go."""
        self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0

    def kill(self) -> None:
        """End it as the kernel would for want of memory."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)


def told(data_dir: Path) -> StackState:
    """What the guard of a data directory says."""
    current = read_state(DataPaths.of(data_dir).run)
    assert current is not None
    return current


def server_processes(data_dir: Path) -> list[psutil.Process]:
    """Every process of the two servers, PostgreSQL's children included."""
    found = []
    for server in told(data_dir).servers.values():
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        found += [process, *process.children(recursive=True)]
    return found


def guard_process(data_dir: Path) -> psutil.Process:
    """The guard."""
    return psutil.Process(told(data_dir).guard.pid)


def kill_all(processes: list[psutil.Process]) -> None:
    """Kill processes; some may end on their own when the first is gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def addresses(servers: Servers) -> tuple[str, str]:
    """The broker's and the database's, as a guard tells them."""
    assert servers.broker is not None
    assert servers.dsn is not None
    return servers.broker.secret_text(), servers.dsn.get_secret_value()


def options(broker: str) -> dict[str, Any]:
    """By which clients of aiokafka reach a broker, of which a guard tells this."""
    return connection_options(Settings(kafka=BrokerAddress.parse(broker).settings()))


async def write_record(broker: str, value: bytes) -> None:
    """Leave an acknowledged record in a new topic."""
    admin = AIOKafkaAdminClient(**options(broker))
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(**options(broker), acks="all")
    await producer.start()
    await producer.send_and_wait("kept", value)
    await producer.stop()


async def read_record(broker: str) -> bytes:
    """What `write_record` left."""
    consumer = AIOKafkaConsumer(**options(broker), auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition("kept", 0)])
    record = await consumer.getone()
    await consumer.stop()
    value: bytes | None = record.value
    assert value is not None
    return value


async def write_row(dsn: str, value: bytes) -> None:
    """Leave a committed row in a new table."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept (value bytea)")
    await connection.execute("INSERT INTO kept VALUES ($1)", value)
    await connection.close()


async def read_row(dsn: str) -> bytes:
    """What `write_row` left."""
    connection = await asyncpg.connect(dsn)
    value: bytes = await connection.fetchval("SELECT value FROM kept")
    await connection.close()
    return value


async def write_both(broker: str, dsn: str, value: bytes) -> None:
    """Leave a record and a row."""
    await write_record(broker, value)
    await write_row(dsn, value)


async def read_both(broker: str, dsn: str) -> tuple[bytes, bytes]:
    """What `write_both` left."""
    return await read_record(broker), await read_row(dsn)
