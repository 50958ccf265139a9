"""A small, independent client: fills a relay, and reads back everything that it serves by paging."""

from __future__ import annotations

import time
from collections.abc import Sequence

import orjson
from websockets.asyncio.client import ClientConnection, connect

from deploy.demo.events import authors
from deploy.demo.publisher import Publisher
from deploy.demo.scene import Signed

PAGE = 500


async def fill(url: str, events: Sequence[Signed], *, seed: int = 1) -> dict[str, str]:
    """Publish demo events of a seed; return why some were refused, by id."""
    refused: dict[str, str] = {}

    def report(event_id: str, reason: str | None) -> None:
        if reason is not None:
            refused[event_id] = reason

    await Publisher(url, authors(seed)).publish(events, report)
    return refused


async def stored(url: str) -> dict[str, bytes]:
    """Return the verbatim text of every event that the relay serves, by id."""
    found: dict[str, bytes] = {}
    until = int(time.time()) + 3600
    async with connect(url, compression=None, proxy=None, max_size=2**24) as socket:
        while True:
            page = await _page(socket, until)
            times = [orjson.loads(raw)["created_at"] for raw in page.values()]
            fresh = page.keys() - found.keys()
            found |= page
            if not times:
                return found
            until = min(times) if fresh else min(times) - 1


async def _page(socket: ClientConnection, until: int) -> dict[str, bytes]:
    page: dict[str, bytes] = {}
    await socket.send(orjson.dumps(["REQ", "all", {"until": until, "limit": PAGE}]), text=True)
    while True:
        frame = await socket.recv(decode=False)
        message = orjson.loads(frame)
        if message[0] == "EVENT":
            # Between the sub id and the closing bracket, as it came.
            start = frame.index(b"{")
            page[message[2]["id"]] = frame[start : frame.rindex(b"}") + 1]
        elif message[0] in ("EOSE", "CLOSED"):
            assert message[0] == "EOSE", message
            return page
