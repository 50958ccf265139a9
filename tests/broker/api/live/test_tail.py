"""New events are read, looked up and delivered, whatever happens to Kafka, the topic, the archive and its sink."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
import pytest
from pydantic import SecretStr

from api.live.feed import Feed, LiveEvent, NotKeptError
from api.live.tail import Tail
from api.service import ApiService
from core import kafka, metrics, waiting
from core.archive.connection import Pool
from core.kafka.topics import create_topics
from core.settings import PolicySettings, Settings
from core.tasks import running
from schemas.nostr.filters import Filter
from schemas.topics import physical
from tests.broker.api.conftest import serving
from tests.broker.api.live.conftest import following, snapshot
from tests.broker.core.away import free_port, paused
from tests.broker.sinks.forgetting import KEYS, made
from tests.broker.sinks.material import Feed as Topics
from tests.broker.sinks.material import all_read, event, feed, running_sink
from tests.proxy import proxy
from tests.waiting import until

pytestmark = pytest.mark.broker

KEPT_BYTES = 16 * 1024 * 1024
SMALL_BYTES = 30_000
"""Some ten events."""


class Taker:
    """Takes new events."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.is_lost = False

    def take(self, live: LiveEvent) -> None:
        """A new event."""
        self.ids.append(live.event.id)

    def lose(self) -> None:
        """No more."""
        self.is_lost = True


@asynccontextmanager
async def begun(settings: Settings, pool: Pool) -> AsyncIterator[Topics]:
    """Topics from which a sink that has stopped wrote one event."""
    async with feed(settings) as topics:
        async with running_sink(settings):
            await topics.events([event(0)])
            await all_read(settings, pool)
        yield topics


async def subscribe(followed: Feed, settings: Settings, pool: Pool, taker: Taker) -> None:
    """Follow what the archive has not written yet."""
    async with pool.acquire() as connection:
        read = await snapshot(connection, settings)
    followed.subscribe(read.offsets, [Filter()], taker.take, taker.lose)


async def all_followed(settings: Settings, followed: Feed) -> None:
    """Wait until the feed has read all."""
    topic = physical(settings.kafka.topic_prefix, "events")
    ends = {tp.partition: end for tp, end in (await kafka.end_offsets(settings, [topic])).items()}
    await until(lambda: followed.ring.positions == ends, lambda: f"all is read: {followed.ring.positions}, not {ends}")


async def test_records_that_are_no_events_are_passed_over(settings: Settings, pool: Pool) -> None:
    followed, taker = Feed(KEPT_BYTES), Taker()
    bad = metrics.values()["bigbrotr_live_bad_records_total"]
    async with begun(settings, pool) as topics, following(settings, followed):
        for partition in range(settings.kafka.partitions):
            for key, value in ((b"x", b"no JSON"), (b"x", b'{"event":{}}'), (b"x", None)):
                await topics.raw("events", partition, value, key)
        await topics.events([event(1)])
        await all_followed(settings, followed)
        await subscribe(followed, settings, pool, taker)
        assert taker.ids == [event(1).id]
    assert metrics.values()["bigbrotr_live_bad_records_total"] - bad == 3 * settings.kafka.partitions


async def test_an_event_that_is_erased_is_kept_no_longer(settings: Settings, pool: Pool) -> None:
    followed, taker = Feed(KEPT_BYTES), Taker()
    async with begun(settings, pool) as topics, following(settings, followed):
        await topics.events([event(1), event(2)])
        await all_followed(settings, followed)
        for partition in range(settings.kafka.partitions):
            await topics.raw("events", partition, None, bytes.fromhex(event(1).id))
        await all_followed(settings, followed)
        await subscribe(followed, settings, pool, taker)
        assert taker.ids == [event(2).id]


async def test_what_is_deleted_before_it_comes_is_not_shown(settings: Settings, pool: Pool) -> None:
    rng = random.Random(1)
    note, other = (made(rng, 1, [], pubkey=KEYS[0]) for _ in range(2))
    request = made(rng, 5, [["e", note.id]], pubkey=KEYS[0])
    hiding = settings.model_copy(update={"policy": PolicySettings(deletion="hide")})
    showing, takers = [Feed(KEPT_BYTES), Feed(KEPT_BYTES)], [Taker(), Taker()]
    async with begun(settings, pool) as topics:
        async with running_sink(settings):
            await topics.events([request])
            await all_read(settings, pool)
        async with following(settings, showing[0]), following(hiding, showing[1]):
            for followed, taker in zip(showing, takers, strict=True):
                await subscribe(followed, settings, pool, taker)
            await topics.events([note, other])
            await until(lambda: len(takers[0].ids) == 2 and takers[1].ids, "events")
    assert set(takers[0].ids) == {note.id, other.id}
    assert takers[1].ids == [other.id]


async def test_a_topic_that_was_made_anew_ends_subscriptions(settings: Settings, pool: Pool) -> None:
    followed, before, after = Feed(KEPT_BYTES), Taker(), Taker()
    topic = physical(settings.kafka.topic_prefix, "events")
    async with begun(settings, pool), following(settings, followed, look_s=0.1) as tail:
        await subscribe(followed, settings, pool, before)
        client = await kafka.admin(settings)
        await client.delete_topics([topic])
        await until(client.list_topics, "topics")
        await kafka.stop_client(client)
        await create_topics(settings)
        await until(lambda: before.is_lost, lambda: f"the end of the subscription: {tail.trouble}")
        await until(lambda: "another topic" in (tail.trouble or ""), lambda: f"a reason, not {tail.trouble}")
        with pytest.raises(NotKeptError):
            await subscribe(followed, settings, pool, after)
        # What an operator does about it.
        await pool.execute("DELETE FROM sink_offsets WHERE topic = $1", topic)
        async with feed(settings) as topics:
            async with running_sink(settings):
                await topics.events([event(1)])
                await all_read(settings, pool)
            await until(lambda: tail.trouble is None, lambda: f"new events, not {tail.trouble}")
            await subscribe(followed, settings, pool, after)
            await topics.events([event(2)])
            await until(lambda: after.ids, "a new event")
    assert after.ids == [event(2).id]


async def test_before_a_sink_has_written_anything_there_is_nothing_to_follow(settings: Settings, pool: Pool) -> None:
    followed, taker, tail = Feed(KEPT_BYTES), Taker(), Tail(settings, Feed(KEPT_BYTES))
    async with running(tail.run()):
        await until(lambda: "is a sink running?" in (tail.trouble or ""), lambda: f"a reason, not {tail.trouble}")
        with pytest.raises(NotKeptError):
            await subscribe(followed, settings, pool, taker)
    await tail.close()


async def test_nothing_is_shown_while_the_archive_cannot_be_asked(settings: Settings, pool: Pool) -> None:
    followed, taker = Feed(KEPT_BYTES), Taker()
    assert settings.postgres.dsn is not None
    url = urlsplit(settings.postgres.dsn.get_secret_value())
    async with proxy((url.hostname or "", url.port or 0)) as server, begun(settings, pool) as topics:
        address = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{server.port}"))
        postgres = settings.postgres.model_copy(update={"dsn": SecretStr(address.geturl())})
        async with following(settings.model_copy(update={"postgres": postgres}), followed) as tail:
            await subscribe(followed, settings, pool, taker)
            await server.refuse()
            await topics.events([event(1)])
            await until(lambda: "held back" in (tail.trouble or ""), lambda: f"a reason, not {tail.trouble}")
            assert taker.ids == []
            await server.restore()
            await until(lambda: taker.ids == [event(1).id], "the event")
            await until(lambda: tail.trouble is None, "no trouble")


async def test_what_came_while_kafka_was_away_follows(settings: Settings, pool: Pool) -> None:
    followed, taker = Feed(KEPT_BYTES), Taker()
    async with begun(settings, pool) as topics, following(settings, followed):
        await subscribe(followed, settings, pool, taker)
        with paused(settings.kafka.bootstrap_servers or ""):
            writing = asyncio.create_task(topics.events([event(1)]))
            await asyncio.sleep(0.5)
        await writing
        await until(lambda: taker.ids == [event(1).id], "the event")


async def test_the_service_answers_while_kafka_is_away(archive_settings: Settings) -> None:
    away = archive_settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    service = ApiService(archive_settings.model_copy(update={"kafka": away}))
    async with serving(service.settings) as url, aiohttp.ClientSession() as client:
        async with client.get(f"{url}/no-such-path") as answer:
            assert answer.status == HTTPStatus.NOT_FOUND
        assert waiting.reasons() == []


async def test_a_sink_that_writes_is_waited_for(settings: Settings, pool: Pool) -> None:
    """More comes than is kept: what the archive lacks is kept all the same."""
    followed, taker, late = Feed(SMALL_BYTES), Taker(), Taker()
    wanted = [event(number).id for number in range(1, 101)]
    async with AsyncExitStack() as stack:
        topics = await stack.enter_async_context(begun(settings, pool))
        await stack.enter_async_context(following(settings, followed))
        await subscribe(followed, settings, pool, taker)
        await topics.events(event(number) for number in range(1, 101))
        await until(lambda: taker.ids, "some events")
        await subscribe(followed, settings, pool, late)
        async with running_sink(settings):
            await until(lambda: sorted(taker.ids) == sorted(wanted), "all events")
    assert sorted(late.ids) == sorted(wanted)


async def test_a_sink_that_stands_still_is_not_waited_for(settings: Settings, pool: Pool) -> None:
    followed, taker = Feed(SMALL_BYTES), Taker()
    wanted = [event(number).id for number in range(1, 101)]
    async with begun(settings, pool) as topics, following(settings, followed, sink_s=0.1):
        await subscribe(followed, settings, pool, taker)
        await topics.events(event(number) for number in range(1, 101))
        await until(lambda: sorted(taker.ids) == sorted(wanted), "all events")
        with pytest.raises(NotKeptError):
            await subscribe(followed, settings, pool, taker)
        assert followed.ring.size_bytes <= SMALL_BYTES
