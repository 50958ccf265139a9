"""The far side of a send buffer, in the test's hand: acknowledges when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple


class Place(NamedTuple):
    partition: int
    offset: int


class Sent(NamedTuple):
    topic: str
    value: bytes
    key: bytes | None
    partition: int
    headers: Sequence[tuple[str, bytes]]
    future: asyncio.Future[Place]


class Sender:
    def __init__(self, *, at_once: bool = False) -> None:
        self.sent: list[Sent] = []
        self.first = asyncio.Event()
        self._at_once = at_once

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> asyncio.Future[Place]:
        future: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self.sent.append(Sent(topic, value or b"", key, partition, headers, future))
        self.first.set()
        if self._at_once:
            self.acknowledge(len(self.sent) - 1)
        return future

    def acknowledge(self, *which: int) -> None:
        for number in which or range(len(self.sent)):
            if not self.sent[number].future.done():
                self.sent[number].future.set_result(Place(self.sent[number].partition, number))


async def turns(count: int = 10) -> None:
    """Let other tasks do what they can."""
    for _ in range(count):
        await asyncio.sleep(0)
