"""Who is next at the archive: who has used least of it, and beside ingest that is behind only within a share."""

from __future__ import annotations

import asyncio

import pytest

from api.query_places import QueryPlaces
from api.query_time import GRACE_S
from api.read_errors import BusyError, ClientBusyError
from core.settings.serving import ApiSettings
from tests.clocks import Clock


class World:
    """Queries of clients, which end when the test says so.

    Args:
        is_behind: whether the archive is behind.
        settings: of the API.
    """

    def __init__(self, *, is_behind: bool = False, **settings: float) -> None:
        self.clock = Clock()
        self.is_behind = is_behind
        self.places = QueryPlaces(ApiSettings.model_validate(settings), lambda: self.is_behind, self.clock)
        self.running: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    async def query(self, client: str, name: str) -> None:
        """Query until `end`."""
        self._ends[name] = asyncio.Event()
        await self.places.enter(client)
        self.running.append(name)
        try:
            await self._ends[name].wait()
        finally:
            self.running.remove(name)
            self.places.leave(client)

    async def begin(self, *names: str) -> list[asyncio.Task[None]]:
        """Begin queries one after another; the first letter of a name is the client."""
        tasks = []
        for name in names:
            tasks.append(asyncio.create_task(self.query(name[0], name)))
            await turns()
        return tasks

    async def end(self, name: str, *, after_s: float = 0.0) -> None:
        """End a query that runs, so much later."""
        self.clock.now_s += after_s
        self._ends[name].set()
        await turns()


async def turns() -> None:
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_used_least_is_next_however_many_wait() -> None:
    world = World(database_connections=2, client_queries=2)
    tasks = await world.begin("a1", "a2", "a3", "a4", "b1", "a5", "c1")
    assert world.running == ["a1", "a2"]
    await world.end("a1", after_s=1.0)
    assert world.running == ["a2", "b1"]
    await world.end("b1")
    assert world.running == ["a2", "c1"]
    await world.end("c1")
    assert world.running == ["a2", "a3"]
    await world.end("a2")
    tasks += await world.begin("b2")
    # What `b` asks for comes before all that `a` has waiting; of one client, what was asked first.
    assert world.running == ["a3", "a4"]
    await world.end("a3")
    assert world.running == ["a4", "b2"]
    for name in ("a4", "b2", "a5"):
        await world.end(name)
    await asyncio.gather(*tasks)


async def test_a_client_has_its_share_of_places_and_waits_for_more() -> None:
    world = World(database_connections=3, client_queries=1, queue_s=60)
    tasks = await world.begin("a1", "a2", "b1")
    assert world.running == ["a1", "b1"]
    await world.end("a1")
    assert world.running == ["b1", "a2"]
    for name in ("a2", "b1"):
        await world.end(name)
    await asyncio.gather(*tasks)


async def test_who_waited_too_long_is_told_why() -> None:
    world = World(database_connections=2, client_queries=2, queue_s=0.05)
    tasks = await world.begin("a1", "a2")
    with pytest.raises(ClientBusyError, match="2 of your queries run already"):
        await world.query("a", "a3")
    with pytest.raises(BusyError, match="the archive answers others") as caught:
        await world.query("b", "b1")
    assert not isinstance(caught.value, ClientBusyError)
    for name in ("a1", "a2"):
        await world.end(name)
    await asyncio.gather(*tasks)
    (task,) = await world.begin("a4")
    assert world.running == ["a4"]
    await world.end("a4")
    await task


async def test_who_goes_away_leaves_its_place_in_line_and_at_the_archive() -> None:
    world = World(database_connections=2, client_queries=2, queue_s=60)
    running, other, waiting, next_one = await world.begin("a1", "b1", "c1", "d1")
    waiting.cancel()
    running.cancel()
    await turns()
    assert world.running == ["b1", "d1"]
    for name in ("b1", "d1"):
        await world.end(name)
    await asyncio.gather(other, next_one)
    assert running.cancelled()
    assert waiting.cancelled()


async def test_one_that_leaves_as_its_turn_comes_gives_it_back() -> None:
    world = World(database_connections=2, client_queries=2, queue_s=60)
    await world.places.enter("a")
    await world.places.enter("a")
    waiting, other = await world.begin("b1", "c1")
    world.places.leave("a")
    waiting.cancel()
    await turns()
    assert world.running == ["c1"]
    await world.end("c1")
    await other
    assert waiting.cancelled()


async def test_while_the_archive_is_behind_a_client_waits_until_its_queries_are_paid_for() -> None:
    world = World(is_behind=True, share_while_behind=0.5, queue_s=5)
    (task,) = await world.begin("a1")
    await world.end("a1", after_s=GRACE_S + 1.0)
    await task
    tasks = await world.begin("a2", "b1")
    assert world.running == ["b1"]  # What one owes delays no other.
    world.clock.now_s += 2.1
    await world.end("b1")
    assert world.running == ["a2"]
    await world.end("a2")
    await asyncio.gather(*tasks)


async def test_one_who_would_wait_too_long_is_told_at_once_for_how_long() -> None:
    world = World(is_behind=True, share_while_behind=0.5, queue_s=5)
    (task,) = await world.begin("a1")
    await world.end("a1", after_s=GRACE_S + 9.9)
    await task
    with pytest.raises(ClientBusyError, match=r"catches up with what was received.*try again in 20 s") as caught:
        await world.query("a", "a2")
    assert caught.value.wait_s == pytest.approx(19.8)
    world.is_behind = False
    (task,) = await world.begin("a3")
    assert world.running == ["a3"]
    await world.end("a3")
    await task


async def test_waiting_ends_by_itself_where_the_archive_has_caught_up() -> None:
    world = World(is_behind=True, share_while_behind=0.5, queue_s=60)
    (task,) = await world.begin("a1")
    await world.end("a1", after_s=GRACE_S + 10.0)
    await task
    (task,) = await world.begin("a2")
    assert world.running == []
    world.is_behind = False
    async with asyncio.timeout(30):
        while not world.running:  # noqa: ASYNC110 - looked for again every second
            await asyncio.sleep(0.01)
    await world.end("a2")
    await task


async def test_the_other_places_are_given_once_the_archive_has_caught_up_though_a_query_goes_on() -> None:
    world = World(is_behind=True, queue_s=60)
    tasks = await world.begin("a1", "b1", "c1")
    assert world.running == ["a1"]
    world.is_behind = False
    async with asyncio.timeout(30):
        while len(world.running) < 3:  # noqa: ASYNC110 - looked for again every second
            await asyncio.sleep(0.01)
    for name in ("a1", "b1", "c1"):
        await world.end(name)
    await asyncio.gather(*tasks)
