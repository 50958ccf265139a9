"""Many relays in one process: `python -m tests.bench.many.relays COUNT RATE LIMIT_S`.

Each is a path of one server, which has nothing stored. After a line on its standard input every live feed gets RATE new
events a second, the same events at all relays, until LIMIT_S have passed; the process ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve

from core.parent import ParentPipe
from tests.bench.hostile.child import tell
from tests.relays.liars import written

_AUTHOR = 1
_FEED = "live-1"
"""The name of a connector's only feed on a connection, which has one filter."""


async def _serve(websocket: ServerConnection) -> None:
    async for text in websocket:
        match json.loads(text):
            case ["REQ", str(subid), dict()]:
                await websocket.send(f'["EOSE","{subid}"]')
            case _:
                pass


async def _run(count: int, rate: float, limit_s: float) -> None:
    parent = ParentPipe()
    async with serve(_serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        tell({"urls": [f"ws://127.0.0.1:{port}/{number}" for number in range(count)]})
        sending = asyncio.create_task(_send(server, rate, limit_s)) if rate else None
        await parent.closed.wait()
        if sending is not None:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending


async def _send(server: Server, rate: float, limit_s: float) -> None:
    """Send for so long, from the start on: feeds that are not open yet miss what comes before."""
    began, number = time.monotonic(), 0
    while time.monotonic() - began < limit_s:
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        event = written(int(time.time()), 1, _AUTHOR, number)
        # Those of now: the server makes the set anew each time.
        broadcast(server.connections, json.dumps(["EVENT", _FEED, event], separators=(",", ":")))
        number += 1


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
