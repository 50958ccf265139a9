"""Questions that were closed are forgotten, unless something came late for them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Set as AbstractSet
from typing import Any, cast

from producers.relay_client.client import RelayClient
from producers.relay_client.connection import RelayConnection
from producers.relay_client.frames import FrameReader, MessageHandler
from producers.relay_client.page_subscription import RELEASED_S, PageSubscription
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from tests.unit.producers.connector.simulated_reading import Nowhere
from tests.unit.producers.connector.virtual_time import run_virtually
from tests.unit.producers.sender import Sender


class Silent:
    """A connection over which everything can be asked and nothing comes."""

    async def send(self, message: bytes) -> None:
        await asyncio.sleep(0)

    def silent_s(self, since_s: float) -> float:
        return 0.0


def kept(*, late: bool, after_s: float) -> bool:
    """Whether a closed question is still there after so long."""

    async def ask() -> bool:
        frames = FrameReader(cast("MessageHandler", Nowhere()))
        client = RelayClient("", cast("RelayConnection", Silent()), frames, SendBuffer(Sender(), 1 << 20))
        page = await client.request_page(Filter(kinds=(1, 2, 3), limit=10))
        page.end(frozenset())
        if late:
            event: dict[str, Any] = {"kind": 1, "pubkey": "a" * 64}
            page.take(1, "b" * 64, event)
        await client.release(page)
        there: weakref.ref[PageSubscription] = weakref.ref(page)
        del page
        await asyncio.sleep(after_s)
        client.forget_expired()
        gc.collect()
        return there() is not None

    return run_virtually(ask())


def test_a_closed_question_is_forgotten_once_nothing_is_taken_for_it() -> None:
    assert kept(late=False, after_s=RELEASED_S - 1)
    assert not kept(late=False, after_s=RELEASED_S + 1)


def test_one_that_was_answered_late_stays_to_be_looked_at() -> None:
    assert kept(late=True, after_s=RELEASED_S + 1)


def test_what_was_taken_for_part_of_an_answer_is_known_to_have_come_late() -> None:
    async def ask() -> tuple[set[str], set[str], AbstractSet[str]]:
        page = PageSubscription("page-1", Filter(limit=10))
        page.take(1, "a" * 64, {"kind": 1, "pubkey": "a" * 64})
        page.end(frozenset())
        page.take(1, "b" * 64, {"kind": 1, "pubkey": "a" * 64})
        page.forget_late()
        late, taken = set(page.late), set(page.taken_late)
        page.release()
        return late, taken, page.taken_late

    assert run_virtually(ask()) == (set(), {"b" * 64}, set())
