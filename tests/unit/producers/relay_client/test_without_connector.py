"""A relay can be read with the client alone: a handler of one's own, and nothing of a connector."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from producers.relay_client.client import RelayClient
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.frames import FrameReader
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.unasked import Unasked
from schemas.nostr.filters import Filter
from schemas.reasons import EventError, Reason
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.hostile import Hostile, say, wrong_subscription
from tests.unit.producers.unlimited import Unlimited

DIALLING = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})
EVENTS = [
    {"id": f"{number:064x}", "created_at": 1_700_000_000 + number, "kind": 1, "content": "x"} for number in range(3)
]
REFUSED = EVENTS[1]["id"]


class Handler:
    """Keeps what comes, but for one event that it cannot take."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, object]] = []
        self.refused: list[Reason] = []
        self.charged: list[tuple[Unasked, int]] = []

    def event(self, subscription: Subscription, event: bytes, event_id: str, fields: Mapping[str, Any]) -> None:
        assert event_id.encode() in event
        if event_id == REFUSED:
            raise EventError(Reason.TOO_LARGE, None, "not this one")
        self.came.append((subscription.subid, event_id, fields["content"]))

    def refuse(self, reason: Reason, value: bytes, field: str | None, detail: str) -> None:
        self.refused.append(reason)

    def unasked(self, what: Unasked, size_bytes: int) -> None:
        self.charged.append((what, size_bytes))


async def test_a_handler_gets_what_was_asked_for_and_is_told_of_the_rest() -> None:
    async with Hostile(EVENTS) as relay, asyncio.timeout(20):
        url = normalize(relay.url, allow_private=True)
        record = RelayRecord(url=url.url, network=url.network, source="test", allow_private=True, updated_at_ms=0)
        handler = Handler()
        connection = await open_connection(record, url, DIALLING)
        client = RelayClient(url.url, connection, FrameReader(handler), Unlimited())
        reading = asyncio.create_task(client.read())
        feed = await client.subscribe(Filter(limit=5))
        await feed.ended.wait()
        assert handler.came == [(feed.subid, event["id"], "x") for event in (EVENTS[2], EVENTS[0])]
        assert (feed.events, client.received, handler.refused) == (2, 2, [Reason.TOO_LARGE])
        relay.answer = wrong_subscription
        await say(relay.live[0][0], "LIMITS", {})
        page = await client.request_page(Filter(limit=5))
        await client.wait_for(page, 10)
        assert page.eose is not None
        assert (page.events, client.received) == (0, 2)
        unknown, foreign = b'["LIMITS",{}]', b'["EOSE","somebody-else"]'
        assert handler.charged == [(Unasked.UNKNOWN, len(unknown)), (Unasked.EOSE, len(foreign))]
        assert handler.refused[1:] == [Reason.FILTER_MISMATCH] * len(EVENTS)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await connection.close()
