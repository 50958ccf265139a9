"""Stored events after EOSE, as of a proxy that still asks its upstreams; new events, some of them with old dates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.relays.hostile import Event
from tests.relays.odd.behaviour import Behaviour, Client, Question
from tests.relays.odd.material import Writer
from tests.relays.odd.store import Stored

if TYPE_CHECKING:
    from tests.relays.odd.relay import OddRelay


@dataclass
class Late(Behaviour):
    """EOSE at once, stored events afterwards.

    Attributes:
        delay_s: from EOSE to the first of them.
        before: the share of a page that is sent before EOSE.
        honours_close: whether a CLOSE stops them.
    """

    delay_s: float
    before: float = 0.0
    honours_close: bool = True

    async def answer(self, client: Client, question: Question) -> bool:
        """Send EOSE, and leave the rest for later."""
        page = client.relay.store.find(question.wanted, question.most)
        at = int(len(page) * self.before)
        for event in page[:at]:
            await client.give(question, event)
        await client.say("EOSE", question.subid)
        client.later(self._rest(client, question, page[at:]))
        return True

    async def _rest(self, client: Client, question: Question, rest: list[Stored]) -> None:
        await asyncio.sleep(self.delay_s)
        for event in rest:
            if self.honours_close and client.open.get(question.subid) is not question:
                return
            await client.give(question, event)
        await client.go_live(question)


class Backdated(Behaviour):
    """Right after each EOSE an event arrives that is dated back: new, and not late."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = list(events)

    async def answered(self, client: Client, question: Question) -> None:
        """Publish the next one."""
        if self._events:
            await client.relay.publish(self._events.pop())


class Arriving(Behaviour):
    """New events arrive, one after another, from the first connection on."""

    def __init__(self, count: int, every_s: float) -> None:
        self.arriving = count
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def opened(self, client: Client) -> None:
        """Begin."""
        if self._task is None:
            self._task = asyncio.create_task(self._arrive(client.relay))

    async def _arrive(self, relay: OddRelay) -> None:
        while self.arriving:
            await asyncio.sleep(self._every_s)
            await relay.publish(Writer().recent(1, newest_s=0)[0])
            self.arriving -= 1
