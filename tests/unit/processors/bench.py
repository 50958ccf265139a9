"""Lanes with everything around them: a broker that acknowledges when the test says so, and Faust's side of an event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from core.byte_limiter import ByteLimiter
from processors.runtime.context import Context
from processors.runtime.continuity import Continuity
from processors.runtime.handler import Handled, Handler, Progress, SourceRecord
from processors.runtime.lane import Lane
from processors.runtime.lanes import Lanes
from processors.runtime.outputs import Output, Record

TOPIC = "raw.bundles"


class Echo:
    """A handler that hands every record on, and notes what it is told."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.assignments: list[frozenset[TopicPartition]] = []
        self.revokes = 0

    async def handle(self, record: SourceRecord) -> Handled:
        output = Output("echo", record.partition, [Record(record.key, record.value or b"")])
        return Handled([output], lambda: self.acknowledged.append(record.offset))

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.assignments.append(partitions)

    def revoked(self) -> None:
        self.revokes += 1

    def status(self, progress: Progress) -> dict[str, object]:
        return {"done": sum(progress.done.values())}


class OfRecord(list[Output]):
    """What follows from the record of one offset."""

    def __init__(self, offset: int, outputs: Iterable[Output]) -> None:
        super().__init__(outputs)
        self.offset = offset


class Noted:
    """Any handler, with the offset noted on what it returns, by which the broker knows it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.assigned, self.revoked, self.status = handler.assigned, handler.revoked, handler.status

    async def handle(self, record: SourceRecord) -> Handled:
        handled = await self._handler.handle(record)
        return handled._replace(outputs=OfRecord(record.offset, handled.outputs))


class Broker:
    """Stands for the publisher: each record's outputs are acknowledged, or refused, when the test says so."""

    def __init__(self) -> None:
        self.sent: dict[int, asyncio.Future[None]] = {}
        self.outputs: dict[int, list[Output]] = {}
        self.took = asyncio.Event()

    async def publish(self, outputs: OfRecord) -> list[asyncio.Future[None]]:
        self.sent[outputs.offset] = asyncio.get_running_loop().create_future()
        self.outputs[outputs.offset] = outputs
        self.took.set()
        # As aiokafka does: a waiter that is cancelled does not cancel the batch.
        return [asyncio.shield(self.sent[outputs.offset])]


class Known:
    """State that is current when the test says so."""

    def __init__(self) -> None:
        self.current = asyncio.Event()
        self.current.set()

    async def until_current(self) -> None:
        await self.current.wait()

    def ready(self) -> str | None:
        return None

    def check(self) -> None:
        pass


@dataclass
class Bench:
    """Lanes, and one of them, with everything around them."""

    handler: Handler = field(default_factory=Echo)
    broker: Broker = field(default_factory=Broker)
    acknowledged: list[int] = field(default_factory=list)
    unacked: set[Any] = field(default_factory=set)
    known: Known = field(default_factory=Known)
    flowing: bool = True
    committed: int | None = None
    earliest: int = 0
    in_flight: int = 4

    def __post_init__(self) -> None:
        self.given_back = asyncio.Event()
        self.failures: list[BaseException] = []
        self.context = Context(
            handler=Noted(self.handler),
            state=[self.known],
            publisher=self.broker,  # type: ignore[arg-type] # has the one method that a lane calls
            records_in_flight=self.in_flight,
            room=ByteLimiter(10_000),
            continuity=Continuity(self._committed, self._earliest),
            is_flowing=lambda: self.flowing,
        )
        self.lanes = Lanes(self.context)
        self.lane = Lane(TopicPartition(TOPIC, 0), self.context, self.failures.append)

    def close(self) -> None:
        self.lane.close()
        self.lanes.revoked()

    def event(self, offset: int, value: bytes = b"{}") -> Any:
        message = SimpleNamespace(topic=TOPIC, partition=0, offset=offset, key=None, value=value)
        self.unacked.add(offset)
        app = SimpleNamespace(consumer=SimpleNamespace(unacked=SimpleNamespace(discard=self._discard)))
        return SimpleNamespace(message=message, app=app, ack=lambda: self._ack(offset))

    def _ack(self, offset: int) -> None:
        self.unacked.discard(offset)
        self.acknowledged.append(offset)

    def _discard(self, message: Any) -> None:
        self.unacked.discard(message.offset)
        self.given_back.set()

    async def _committed(self, _partition: TopicPartition) -> int | None:
        return self.committed

    async def _earliest(self, _partition: TopicPartition) -> int:
        return self.earliest


async def settle() -> None:
    """Let every task run until it waits for something that only the test will bring."""
    for _ in range(50):
        await asyncio.sleep(0)
