"""What waits for a relay: the newest of each key, in order, bounded."""

from __future__ import annotations

import asyncio

from producers.prober.nip66.outbox import Outbox
from schemas.nostr.event import Event
from schemas.nostr.signing import Draft

SECRET = b"\7" * 32


def event(address: str, at_s: int, content: str = "") -> Event:
    return Draft(30_166, [["d", address]], content).signed(SECRET, at_s)


async def test_the_newest_of_a_key_takes_the_place_of_the_one_before() -> None:
    outbox = Outbox()
    for each in (event("a", 1), event("b", 1), event("a", 2), event("a", 1)):
        assert outbox.put(each) == 0
    assert len(outbox) == 2
    assert [await outbox.take(), await outbox.take()] == [event("a", 2), event("b", 1)]


async def test_one_that_comes_back_does_not_replace_a_newer_one() -> None:
    outbox = Outbox()
    outbox.put(event("a", 1))
    taken = await outbox.take()
    outbox.put(event("a", 2))
    outbox.put(taken)
    assert await outbox.take() == event("a", 2)
    assert len(outbox) == 0


async def test_too_much_drops_what_has_waited_longest() -> None:
    outbox = Outbox(most_bytes=3000)
    dropped = [outbox.put(event(name, 1, "x" * 1000)) for name in "abcd"]
    assert (dropped, len(outbox)) == ([0, 0, 1, 1], 2)
    assert (await outbox.take()).tags == [["d", "c"]]


async def test_taking_waits() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put(event("a", 1))
    assert await waiting == event("a", 1)
