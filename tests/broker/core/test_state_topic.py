"""A compacted topic that is followed, against a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from core import waiting
from core.kafka import open_publisher
from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.topics import physical
from tests.broker.core.away import paused
from tests.waiting import until

pytestmark = pytest.mark.broker

PATIENCE_S = 60.0


def number(_key: bytes, value: bytes) -> int:
    return int(value)


class Followed:
    """A topic of numbers, with everything that it handed over."""

    def __init__(self, settings: Settings) -> None:
        self.topic = physical(settings.kafka.topic_prefix, "coverage")
        self.taken: list[Change[int]] = []
        self.state = StateTopic(settings, self.topic, number, self._take, silent_s=2.0)
        self._settings = settings
        self._took = asyncio.Event()
        self.free = asyncio.Event()
        """Taking waits while it is not set."""
        self.free.set()

    async def _take(self, changes: Sequence[Change[int]]) -> None:
        self.taken += changes
        self._took.set()
        await self.free.wait()

    async def assign(self, *partitions: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.state.assign(partitions)

    async def until_taken(self, value: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while value not in self.values():
                self._took.clear()
                await self._took.wait()

    def values(self) -> list[int | None]:
        return [change.value for change in self.taken]

    async def write(self, partition: int, *values: bytes | None) -> None:
        sender = await open_publisher(self._settings)
        for value in values:
            await sender.send(self.topic, value, b"key", partition)
        await sender.flush(PATIENCE_S)
        await sender.close()


@pytest.fixture
async def followed(settings: Settings) -> AsyncIterator[Followed]:
    await create_topics(settings)
    made = Followed(settings)
    yield made
    await made.state.close()


async def test_what_is_assigned_is_read_to_its_end_and_then_followed(followed: Followed) -> None:
    await followed.write(0, b"1", b"2")
    await followed.write(1, b"10")
    await followed.assign(0, 3)
    assert followed.values() == [1, 2]
    assert followed.state.ready() is None
    await followed.write(1, b"11")
    await followed.write(0, b"3")
    await followed.until_taken(3)
    assert followed.values() == [1, 2, 3]


async def test_what_stays_goes_on_and_what_returns_is_read_anew(followed: Followed) -> None:
    await followed.write(0, b"1")
    await followed.write(1, b"10")
    await followed.assign(0, 1)
    assert sorted(change[:2] for change in followed.taken) == [(0, 0), (1, 0)]
    await followed.assign(1, 2)
    await followed.write(0, b"2")
    await followed.write(2, b"20")
    await followed.write(1, b"11")
    await followed.until_taken(11)
    await followed.until_taken(20)
    followed.taken.clear()
    await followed.assign(0, 1)
    assert followed.values() == [1, 2], "partition 1 is not read again"
    await followed.assign()
    await followed.write(1, b"12")
    followed.taken.clear()
    await followed.assign(3)
    await followed.assign(0)
    assert followed.values() == [1, 2]


async def test_what_is_being_taken_when_the_assignment_changes_is_not_taken_again(followed: Followed) -> None:
    await followed.assign(0)
    followed.free.clear()
    await followed.write(0, b"1")
    await followed.until_taken(1)
    assigning = asyncio.create_task(followed.assign(0, 1))
    await asyncio.sleep(0)  # by then the assignment has changed
    followed.free.set()
    await assigning
    await followed.write(0, b"2")
    await followed.until_taken(2)
    assert followed.values() == [1, 2]


async def test_a_tombstone_and_what_cannot_be_read_leave_a_key_without_a_value(followed: Followed) -> None:
    await followed.write(0, b"1", None, b"no number", b"4")
    await followed.assign(0)
    assert followed.taken == [
        Change(0, 0, b"key", 1),
        Change(0, 1, b"key", None),
        Change(0, 2, b"key", None),
        Change(0, 3, b"key", 4),
    ]


async def test_a_broker_that_is_away_is_waited_for_and_nothing_is_read_twice(
    settings: Settings, followed: Followed
) -> None:
    await followed.write(0, b"1")
    await followed.write(1, b"10")
    await followed.assign(0)
    with paused(settings.kafka.bootstrap_servers or ""):
        assigning = asyncio.create_task(followed.assign(0, 1))
        await until(waiting.reasons, "a wait")
    await assigning
    assert followed.values() == [1, 10]
    assert waiting.reasons() == []


async def test_what_taking_raises_is_not_hidden(settings: Settings, followed: Followed) -> None:
    async def take(_: Sequence[Change[int]]) -> None:
        raise LookupError("of our own")

    await followed.write(0, b"1")
    state = StateTopic(settings, followed.topic, number, take)
    with pytest.raises(LookupError):
        await state.assign()
    with pytest.raises(LookupError):
        state.check()
    await state.close()


async def test_a_consumer_that_cancels_itself_does_not_end_the_following(
    settings: Settings, followed: Followed
) -> None:
    """As aiokafka's does: the task was not cancelled by anything of ours."""
    tries = 0

    async def take(changes: Sequence[Change[int]]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError
        followed.taken += changes

    await followed.write(0, b"1")
    state = StateTopic(settings, followed.topic, number, take)
    async with asyncio.timeout(PATIENCE_S):
        await state.assign()
    assert (tries, followed.values()) == (2, [1])
    await state.close()
