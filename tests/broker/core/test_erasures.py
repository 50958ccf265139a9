"""The follower of `erasures`, against a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from core import metrics
from core.erasures import ErasureFollower
from core.kafka import open_publisher
from core.kafka.state_topic import CURRENT_S
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.records.erasure import Cause, Erasure
from schemas.topics import physical
from tests.broker.core.away import paused
from tests.waiting import until

pytestmark = pytest.mark.broker

PATIENCE_S = 60.0


@pytest.fixture
async def topic(settings: Settings) -> str:
    await create_topics(settings)
    return physical(settings.kafka.topic_prefix, "erasures")


def rule(number: int) -> Erasure:
    # The leading bits spread the rules over the partitions.
    return Erasure(id=f"{number % 256:02x}{number:062x}", cause=Cause.OPERATOR, erased_at_ms=number)


async def write(settings: Settings, topic: str, values: Sequence[Erasure | bytes | None]) -> None:
    sender = await open_publisher(settings)
    for value in values:
        if isinstance(value, Erasure):
            await sender.send(topic, value.encode(), value.key(), value.partition(settings.kafka.partitions))
        else:
            await sender.send(topic, value, b"key", 0)
    await sender.flush(PATIENCE_S)
    await sender.close()


@asynccontextmanager
async def following(
    settings: Settings, taken: set[str], *, current_s: float = CURRENT_S
) -> AsyncIterator[ErasureFollower]:
    async def take(rules: Sequence[Erasure]) -> None:
        taken.update(rule.id or "" for rule in rules)

    follower = ErasureFollower(settings, take, current_s=current_s)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await follower.start()
        yield follower
    finally:
        await follower.close()


async def until_taken(taken: set[str], rules: Sequence[Erasure]) -> None:
    await until(lambda: {rule.id for rule in rules} <= taken, "the rules are taken")


async def test_everything_is_taken_before_the_start_ends_and_more_as_it_comes(settings: Settings, topic: str) -> None:
    before, later = [rule(n) for n in range(500)], [rule(n) for n in range(500, 520)]
    bad = metrics.values()["bigbrotr_bad_erasures_total"]
    await write(settings, topic, [before[0], b"not JSON", None, *before[1:]])
    taken: set[str] = set()
    async with following(settings, taken) as follower:
        assert taken == {rule.id for rule in before}
        assert metrics.values()["bigbrotr_bad_erasures_total"] == bad + 2
        assert follower.ready() is None
        await write(settings, topic, later)
        await until_taken(taken, later)


async def test_an_empty_topic_is_current_at_once(settings: Settings, topic: str) -> None:
    async with following(settings, set()) as follower:
        assert follower.is_current()


async def test_while_the_broker_is_away_the_rules_are_not_current(settings: Settings, topic: str) -> None:
    taken: set[str] = set()
    assert settings.kafka.bootstrap_servers is not None
    async with following(settings, taken, current_s=1.0) as follower:
        with paused(settings.kafka.bootstrap_servers):
            await until(lambda: not follower.is_current(), "the rules are not current")
            assert follower.ready() is not None
            waiting = asyncio.create_task(follower.until_current())
        async with asyncio.timeout(PATIENCE_S):
            await waiting
        await write(settings, topic, [rule(1)])
        await until_taken(taken, [rule(1)])


async def test_a_failure_to_take_is_not_hidden(settings: Settings, topic: str) -> None:
    await write(settings, topic, [rule(1)])

    async def take(_: Sequence[Erasure]) -> None:
        raise LookupError("of our own")

    follower = ErasureFollower(settings, take)
    with pytest.raises(LookupError):
        await follower.start()
    await follower.close()
