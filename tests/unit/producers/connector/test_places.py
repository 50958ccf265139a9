"""Who is connected to where there are fewer places than relays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from core.flag import Flag
from producers.connector.connection_limits import ConnectionLimits
from schemas.records.relay import Lane, RelayRecord
from schemas.relay_urls.relay_url import Network, normalize
from tests.unit.producers.connector.virtual_time import run_virtually

VISIT_S = 600.0
LEAVING_S = 2.0
"""For a closing handshake."""
ONION = [f"{letter * 56}.onion" for letter in "ab"]


class Relays:
    """Relays that are read at once, and stay connected until another is to have their place."""

    def __init__(self, connections: int, networks: Mapping[Network, int] | None = None) -> None:
        self.limits = ConnectionLimits(connections, networks, visit_s=VISIT_S, longest_visit_s=2 * VISIT_S)
        self.connected: list[str] = []
        self.ever: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, host: str, lane: Lane = "regular", read_until_s: float = 0.0) -> None:
        self._tasks[host] = asyncio.create_task(self._visit(host, lane, read_until_s))

    def end(self, host: str) -> None:
        self._tasks[host].cancel()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _visit(self, host: str, lane: Lane, read_until_s: float) -> None:
        url = normalize(f"ws://{host}")
        record = RelayRecord(url=url.url, network=url.network, source="test", lane=lane, updated_at_ms=0)
        read = Flag()
        read.set()
        async with self.limits.place(record, url, lambda: read_until_s) as place:
            self.connected.append(host)
            self.ever.append(host)
            try:
                await self.limits.turn(place, read)
                await asyncio.sleep(LEAVING_S)
            finally:
                self.connected.remove(host)


def run(relays: Callable[[], Relays], story: Callable[[Relays], Any]) -> None:
    async def told() -> None:
        its = relays()
        try:
            await story(its)
        finally:
            await its.close()

    run_virtually(told())


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_relay_that_was_read_longest_ago_is_next_and_one_never_read_before_all() -> None:
    async def story(relays: Relays) -> None:
        relays.add("now.example", read_until_s=900)
        relays.add("long-ago.example", read_until_s=100)
        relays.add("never.example")
        await settled()
        assert relays.connected == ["never.example"], "those that come at once are compared"
        relays.add("lately.example", read_until_s=500)
        for host in ("never", "long-ago", "lately"):
            relays.end(f"{host}.example")
            await settled()
        assert relays.ever == ["never.example", "long-ago.example", "lately.example", "now.example"]

    run(lambda: Relays(2), story)


def test_one_that_waits_costs_one_its_place_and_the_one_that_is_longest_live() -> None:
    async def story(relays: Relays) -> None:
        for number in range(3):
            relays.add(f"{number}.example")
            await asyncio.sleep(1)
        relays.add("priority.example", "priority")
        await asyncio.sleep(2 * VISIT_S)
        assert len(relays.connected) == 4, "while none waits, they stay"
        relays.add("new.example")
        await settled()
        # Places are looked at again while the one that was asked still says goodbye.
        relays.end("priority.example")
        await asyncio.sleep(2 * LEAVING_S)
        assert relays.connected == ["1.example", "2.example", "new.example"]

    run(lambda: Relays(4), story)


def test_a_relay_that_has_just_been_connected_keeps_its_place_for_a_while() -> None:
    async def story(relays: Relays) -> None:
        relays.add("first.example")
        await asyncio.sleep(VISIT_S / 2)
        relays.add("second.example")
        await asyncio.sleep(VISIT_S / 4)
        assert relays.connected == ["first.example"]
        await asyncio.sleep(VISIT_S / 2)
        assert relays.connected == ["second.example"]

    run(lambda: Relays(1), story)


def test_priority_relays_never_give_way_and_take_regular_places_where_theirs_do_not_suffice() -> None:
    async def story(relays: Relays) -> None:
        relays.add("regular.example")
        for number in range(2):
            relays.add(f"{number}.example", "priority")
        await settled()
        assert sorted(relays.connected) == ["0.example", "1.example"], "priority relays come first"
        await asyncio.sleep(10 * VISIT_S)
        assert sorted(relays.connected) == ["0.example", "1.example"]
        relays.end("0.example")
        await settled()
        assert sorted(relays.connected) == ["1.example", "regular.example"]

    run(lambda: Relays(2), story)


def test_a_network_has_its_own_bound_and_only_its_relays_make_room_for_another() -> None:
    async def story(relays: Relays) -> None:
        relays.add("clear.example")
        relays.add(ONION[0])
        await asyncio.sleep(VISIT_S + 1)
        relays.add(ONION[1])
        await asyncio.sleep(2 * LEAVING_S)
        assert relays.connected == ["clear.example", ONION[1]]

    run(lambda: Relays(8, {Network.TOR: 1}), story)


def test_the_urls_of_a_host_take_turns() -> None:
    async def story(relays: Relays) -> None:
        for path in range(3):
            relays.add(f"a.example/{path}")
        await settled()
        assert relays.connected == ["a.example/0", "a.example/1"]
        await asyncio.sleep(VISIT_S + 2 * LEAVING_S)
        assert relays.connected == ["a.example/1", "a.example/2"]
        assert relays.limits.waiting == 0

    run(lambda: Relays(8), story)


def test_a_priority_relay_waits_for_no_regular_one_of_its_network_or_host() -> None:
    """However little is read of those, and however many others wait for as much."""

    async def story(relays: Relays) -> None:
        relays.add(ONION[0])
        relays.add("a.example/far-behind")
        relays.add("a.example/nearly-read", read_until_s=100)
        await settled()
        for number in range(20):
            relays.add(f"a.example/{number}")
            relays.add(f"{ONION[0]}/{number}")
        relays.add(ONION[1], "priority")
        relays.add("a.example/priority", "priority")
        await asyncio.sleep(2 * LEAVING_S)
        assert relays.connected == ["a.example/far-behind", ONION[1], "a.example/priority"]

    run(lambda: Relays(100, {Network.TOR: 1}), story)


def test_a_priority_relay_costs_one_regular_relay_its_place_and_no_more() -> None:
    async def story(relays: Relays) -> None:
        for number in range(4):
            relays.add(f"{number}.example", read_until_s=number)
        for number in range(2):
            relays.add(f"{number}.example/priority", "priority")
        await settled()
        assert len(relays.connected) == 5
        for number in range(20):
            relays.add(f"waits-{number}.example")
            await settled()
        await asyncio.sleep(2 * LEAVING_S)
        # The kept place and one of the four.
        regular = [host for host in relays.connected if "priority" not in host]
        assert regular == ["0.example", "1.example", "2.example"]
        assert len(relays.connected) == 5

    run(lambda: Relays(5), story)
