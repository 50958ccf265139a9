"""A large new event reaches all who ask for it: no number of readers makes one of them too slow."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.broker.api.relay.client import connected
from tests.broker.api.relay.test_bounds import MIB, closed_by, serving
from tests.broker.api.served import Served
from tests.broker.sinks.archived import START_S, signed

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

KIND = 20_330
READERS = 150
"""Each with a copy they would take more memory than all readers may together."""
NEW = [
    signed(START_S + 1, KIND, [], "before"),
    signed(START_S + 2, KIND, [], "é" * 500_000),
    signed(START_S + 3, KIND, [], "after"),
]


async def test_many_readers_of_a_large_event_get_it_whole_and_in_order(served: Served) -> None:
    """Beside them, one that does not read has 20 subscriptions, and is cut."""
    asked = {"kinds": [KIND], "limit": 0}
    async with (
        serving(served, unsent_bytes=MIB, client_connections=READERS + 1) as url,
        contextlib.AsyncExitStack() as stack,
    ):
        slow = await stack.enter_async_context(connected(url, max_queue=1, write_limit=1))
        for number in range(20):
            assert (await slow.ask("REQ", str(number), asked))[-1][0] == "EOSE"
        readers = [await stack.enter_async_context(connected(url)) for _ in range(READERS)]
        told = await asyncio.gather(*[reader.ask("REQ", "a", asked) for reader in readers])
        assert told == [[["EOSE", "a"]]] * READERS
        for each in NEW:
            await served.add(each)
        async with asyncio.timeout(60):
            for reader in readers:
                received = [await reader.receive() for _ in NEW]
                # Not compared in one `assert`, which would look for the difference in a mebibyte.
                assert [message[2]["id"] for message in received] == [each.id for each in NEW]
                is_whole = received == [["EVENT", "a", each._asdict()] for each in NEW]
                assert is_whole
            code, reason = await closed_by(slow)
        assert (code, reason) in ((1008, "too slow: messages for you filled their buffer"), (1006, ""))
        assert await readers[-1].is_alive()
