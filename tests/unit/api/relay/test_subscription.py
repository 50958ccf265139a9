"""Stored events, EOSE, then new ones, whatever comes while the stored ones are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from api.live.feed import Feed, LiveEvent
from api.relay.messages import Req
from api.relay.outbox import Outbox
from api.relay.outgoing import Outgoing
from api.relay.subscription import Subscription
from api.relay.unsent import Unsent
from core.tasks import cancel
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filters import Filter

MIB = 1024 * 1024


def event(number: int, kind: int = 1, content: str = "") -> Event:
    return Event(f"{number:064x}", "a" * 64, number, kind, [], content, "b" * 128)


def live(number: int, kind: int = 1, content: str = "") -> LiveEvent:
    made = event(number, kind, content)
    return LiveEvent(made, encode_event(made))


class Conversation:
    """A subscription to events of kind 1, a feed of one partition, and what is sent."""

    def __init__(self, limit_bytes: int = MIB) -> None:
        self.feed = Feed(MIB)
        self.feed.begin({0: 0})
        self.unsent = Unsent()
        self.outbox = Outbox(limit_bytes, self.unsent)
        self.subscription = Subscription(
            Req("sub", (Filter(kinds=(1,)),), 10), self.outbox, lambda live: live.event.content != "private"
        )
        self.lost = 0

    def follow(self, since: int = 0) -> None:
        self.subscription.follow(self.feed, {0: since}, self.lose)

    def lose(self) -> None:
        self.lost += 1

    async def sent(self) -> list[Any]:
        """What a client that reads all is sent: of an EVENT the time, of others the verb."""
        frames: list[bytes] = []

        async def send(buffers: Sequence[bytes]) -> None:
            frames.append(b"".join(buffers))

        task = asyncio.create_task(self.outbox.send_all(send))
        await asyncio.sleep(0)
        await cancel(task)
        messages = [orjson.loads(frame) for frame in frames]
        return [each[2]["created_at"] if each[0] == "EVENT" else each[0] for each in messages]


async def test_new_events_wait_for_eose() -> None:
    each = Conversation()
    each.feed.add(0, 0, live(3))
    each.follow()
    each.feed.add(0, 1, live(4))
    await each.subscription.send_stored([encode_event(event(2)), encode_event(event(1))])
    each.feed.add(0, 2, live(5))
    each.subscription.finish_stored(["finish"])
    each.feed.add(0, 3, live(6))
    assert await each.sent() == [2, 1, "EOSE", 3, 4, 5, 6]


async def test_what_the_archive_had_is_not_sent_again() -> None:
    each = Conversation()
    each.feed.add(0, 0, live(1))
    each.feed.add(0, 1, live(2))
    each.follow(since=1)
    each.subscription.finish_stored([])
    assert await each.sent() == ["EOSE", 2]


async def test_what_is_not_asked_for_or_not_shown_is_left_out() -> None:
    each = Conversation()
    each.follow()
    each.subscription.finish_stored([])
    each.feed.add(0, 0, live(1, kind=2))
    each.feed.add(0, 1, live(2, content="private"))
    each.feed.add(0, 2, live(3))
    assert await each.sent() == ["EOSE", 3]


async def test_an_ended_subscription_sends_nothing() -> None:
    each = Conversation()
    each.follow()
    each.feed.add(0, 0, live(1))
    each.subscription.end()
    each.subscription.end()
    each.feed.add(0, 1, live(2))
    await each.subscription.send_stored([encode_event(event(3))])
    assert await each.sent() == []
    assert not each.feed.subscriptions
    assert each.outbox.reserve(Outgoing(b"x" * MIB))


async def test_it_says_that_new_events_do_not_follow() -> None:
    each = Conversation()
    each.feed.begin({})
    each.follow()
    assert str(each.subscription.missed).startswith("error: new events cannot follow")
    assert each.lost == 0


async def test_it_says_that_new_events_were_missed() -> None:
    each = Conversation()
    each.follow()
    each.feed.begin({0: 10})
    assert str(each.subscription.missed).startswith("error: new events were missed")
    assert each.lost == 1


@pytest.mark.parametrize("are_kept", [True, False])
async def test_of_more_held_events_than_may_wait_the_client_is_told_that_some_were_missed(are_kept: bool) -> None:
    """Where the archive is behind, many are kept: the client is not cut for that."""
    each = Conversation(limit_bytes=1000)
    if not are_kept:
        each.follow()
    for number in range(5):
        each.feed.add(0, number, live(number))
    if are_kept:
        each.follow()
    assert not each.feed.subscriptions
    assert str(each.subscription.missed).startswith("error: new events were missed")
    each.subscription.finish_stored([])
    assert await each.sent() == ["EOSE"]
    assert not each.outbox.is_full.done()
    assert each.unsent.size_bytes == 0


async def test_stored_events_that_wait_for_a_reader_count() -> None:
    each = Conversation()
    texts = [b"x" * MIB, b"y" * MIB, b"z" * MIB]
    task = asyncio.create_task(each.subscription.send_stored(texts))
    await asyncio.sleep(0)
    assert 3 * MIB <= each.unsent.size_bytes < 3 * MIB + 100
    await cancel(task)
    assert MIB <= each.unsent.size_bytes < MIB + 100
    each.outbox.end()
    assert each.unsent.size_bytes == 0
