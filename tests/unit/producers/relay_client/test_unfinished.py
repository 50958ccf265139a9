"""Messages that are not finished are bounded over all connections, and an ended connection keeps nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.frames import Opcode

from producers.relay_client.connection import RelayConnection
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.refusals import RelayError
from producers.relay_client.stream.unfinished import MOST_BYTES, SMALL_BYTES, UNFINISHED, Unfinished
from producers.relay_client.unasked import Unasked
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.flooding import Flooding, flooding
from tests.relays.hostile import Hostile, silence
from tests.unit.producers.relay_client import reconnecting
from tests.unit.producers.relay_client.test_websocket import frame
from tests.unit.producers.unlimited import Unlimited
from tests.waiting import until

FRAME_BYTES = 2 << 20
DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=FRAME_BYTES, ping_interval_s=30, proxies={})
HALF = frame(Opcode.TEXT, b"x" * FRAME_BYTES)[: FRAME_BYTES // 2]
FRAGMENTED = frame(Opcode.TEXT, b"x" * (FRAME_BYTES // 2), fin=False)
PARTS = {"half a frame": HALF, "a fragment": FRAGMENTED}


class Connection:
    """One that only remembers what it had to give up."""

    def __init__(self) -> None:
        self.given_up: list[int] = []

    def give_up(self, size_bytes: int) -> None:
        self.given_up.append(size_bytes)


def test_the_connection_that_holds_most_has_to_give_up() -> None:
    budget = Unfinished(10 * SMALL_BYTES)
    small, large, larger = Connection(), Connection(), Connection()
    budget.hold(small, SMALL_BYTES)
    budget.hold(large, 4 * SMALL_BYTES)
    budget.hold(larger, 6 * SMALL_BYTES)
    assert budget.bytes == 10 * SMALL_BYTES
    budget.hold(large, 4 * SMALL_BYTES + 1)
    assert (large.given_up, larger.given_up) == ([], [6 * SMALL_BYTES])
    assert budget.bytes == 4 * SMALL_BYTES + 1
    budget.hold(large, 0)
    assert budget.bytes == 0
    assert small.given_up == large.given_up == []


def test_small_messages_are_never_given_up() -> None:
    budget = Unfinished(SMALL_BYTES)
    connections = [Connection() for _ in range(100)]
    for connection in connections:
        budget.hold(connection, SMALL_BYTES)
    assert not any(connection.given_up for connection in connections)


def test_of_equals_the_one_that_began_first_gives_up() -> None:
    budget = Unfinished(5 * SMALL_BYTES)
    older, newer = Connection(), Connection()
    budget.hold(older, 2 * SMALL_BYTES)
    budget.hold(newer, 3 * SMALL_BYTES)
    budget.hold(older, 3 * SMALL_BYTES)
    assert (older.given_up, newer.given_up) == ([3 * SMALL_BYTES], [])


async def dial(url: str) -> RelayConnection:
    at = normalize(url, allow_private=True)
    record = RelayRecord(url=at.url, network=at.network, source="test", allow_private=True, updated_at_ms=0)
    return await open_connection(record, at, DIALLING)


@pytest.mark.parametrize("part", list(PARTS))
async def test_those_who_finish_nothing_are_cut_and_charged_and_others_go_on(part: str) -> None:
    charged: list[tuple[Unasked, int]] = []
    got: list[bytes] = []
    count = MOST_BYTES // len(PARTS[part]) + 10

    async def read(relay: Flooding) -> str:
        connection = await dial(relay.url)
        try:
            await connection.read(lambda _: None, Unlimited(), lambda what, size: charged.append((what, size)))
        except RelayError as error:
            return error.state
        finally:
            connection.cut()
        raise AssertionError

    async with AsyncExitStack() as stack:
        honest = await stack.enter_async_context(Hostile([], silence, echo=True))
        hostile = await stack.enter_async_context(flooding(b"", PARTS[part], once=True))
        neighbour = await dial(honest.url)
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(neighbour.read(got.append, Unlimited(), lambda *_: None))]
        tasks += [asyncio.create_task(read(hostile)) for _ in range(count)]
        await until(lambda: len(charged) >= 9, "those that are too many are charged")
        assert UNFINISHED.bytes <= MOST_BYTES
        # Larger than what is not counted, while others hold all there is.
        await neighbour.send(b"y" * (8 * SMALL_BYTES))
        await until(lambda: got, "an honest message")
        ended = [task for task in tasks[1:] if task.done()]
        assert {task.result() for task in ended} <= {"unfinished"}
        assert {what for what, _ in charged} == {Unasked.UNFINISHED}
        assert all(size > SMALL_BYTES for _, size in charged)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await neighbour.close()
    assert UNFINISHED.bytes == 0


@pytest.mark.slow
async def test_messages_that_are_put_aside_count_too() -> None:
    charged: list[tuple[Unasked, int]] = []
    ended: list[str] = []
    async with Hostile([], silence) as relay:
        connections = [await dial(relay.url) for _ in range(3)]

        async def read(connection: RelayConnection) -> None:
            try:
                await connection.read(lambda _: None, Unlimited(), lambda what, size: charged.append((what, size)))
            except RelayError as error:
                ended.append(error.state)

        tasks = [asyncio.create_task(read(connection)) for connection in connections]
        await asyncio.sleep(0)
        for connection in connections:
            connection.put_aside(MOST_BYTES // 2)
        await until(lambda: ended, "one of them is cut")
        assert UNFINISHED.bytes == MOST_BYTES
        connections[0].put_aside(0)
        connections[1].put_aside(0)
        assert (ended, charged) == (["unfinished"], [(Unasked.UNFINISHED, MOST_BYTES // 2)])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in connections:
            connection.cut()
    await until(lambda: not UNFINISHED.bytes, "nothing is kept")


@pytest.mark.slow
def test_connections_that_end_in_the_middle_of_a_message_leave_nothing() -> None:
    """In a process of its own, without the collector: 300 megabytes in messages that never end."""
    run = subprocess.run(
        [sys.executable, "-m", reconnecting.__name__, "300", "20"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    grown_bytes, existing = map(int, run.stdout.split())
    assert grown_bytes < 100 << 20
    assert existing == 0
