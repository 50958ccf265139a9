"""However many connections of one lane have something to deal with, the other lane has its turns of the event loop."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from producers.relay_client.stream.cutting import TURN_FRAMES
from producers.relay_client.stream.turns import ROUND, Turns
from tests.unit.producers.relay_client.test_turns_of_the_loop import EVENT
from tests.unit.producers.relay_client.test_websocket import connection
from tests.waiting import until

SHARE = 0.25


class Busy:
    """Something that always has more to do than a turn takes."""

    def __init__(self, turns: Turns, lane: str, order: list[str]) -> None:
        self._lane = turns.lane(priority=lane == "priority")
        self._name = lane
        self._order = order
        self._lane.soon(self.work)

    def work(self) -> None:
        self._order.append(self._name)
        self._lane.soon(self.work)


@pytest.mark.parametrize(("regular", "priority"), [(300, 1), (1, 300), (300, 300)])
async def test_each_lane_has_its_share_however_many_wait_in_the_other(regular: int, priority: int) -> None:
    order: list[str] = []
    turns = Turns(SHARE)
    busy = [Busy(turns, "regular", order) for _ in range(regular)]
    busy += [Busy(turns, "priority", order) for _ in range(priority)]
    await until(lambda: len(order) >= 100 * ROUND, "some rounds")
    assert order[: 100 * ROUND].count("priority") == SHARE * 100 * ROUND


@pytest.mark.parametrize("lane", ["regular", "priority"])
async def test_a_lane_has_every_turn_that_the_other_does_not_need(lane: str) -> None:
    order: list[str] = []
    turns = Turns(SHARE)
    busy = [Busy(turns, lane, order) for _ in range(300)]
    rounds = 0
    while len(order) < 100 * ROUND:
        await asyncio.sleep(0)
        rounds += 1
    assert rounds <= 101
    assert busy


async def test_a_turn_that_was_cancelled_is_none() -> None:
    turns, called = Turns(SHARE), list[str]()
    lane = turns.lane()
    lane.soon(lambda: called.append("cancelled")).cancel()
    lane.soon(lambda: called.append("called"))
    await until(lambda: called, "the turn")
    assert called == ["called"]


async def test_a_priority_relay_is_dealt_with_while_regular_ones_wait_for_their_turns() -> None:
    """Fifty connections are sent two thousand events each, and one more then."""
    turns, got = Turns(SHARE), {"regular": 0, "priority": 0}
    meanwhile: list[int] = []

    def count(lane: str) -> None:
        got[lane] += 1
        if lane == "priority" and got[lane] == 2000:
            meanwhile.append(got["regular"])

    async with AsyncExitStack() as stack:
        regular = [await stack.enter_async_context(connection()) for _ in range(50)]
        priority = await stack.enter_async_context(connection())
        for websocket in regular:
            websocket.listen(lambda _: count("regular"), lambda: None, lambda *_: None, turns.lane())
        priority.listen(lambda _: count("priority"), lambda: None, lambda *_: None, turns.lane(priority=True))
        for websocket in regular:
            websocket.data_received(EVENT * 2000)
        priority.data_received(EVENT * 2000)
        await until(lambda: meanwhile, "the priority relay is dealt with")
        # As long as both wait, three of four turns are regular ones.
        assert meanwhile[0] <= (2000 / TURN_FRAMES + 2) * (1 / SHARE) * TURN_FRAMES
        await until(lambda: got["regular"] == 50 * 2000, "the others are")
