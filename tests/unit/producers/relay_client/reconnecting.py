"""A process whose relays end each connection in the middle of a message.

Prints by how many bytes it has grown, and how many of its ended connections still exist.

Arguments: connections in all, and at once. The collector of cycles is off, as if it came too late.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.refusals import RelayError
from producers.relay_client.stream.websocket import PushConnection
from producers.relay_client.unasked import Unasked
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from tests.unit.producers.unlimited import Unlimited

_FRAME_BYTES = 2 << 20
_HALF = Frame(Opcode.TEXT, b"x" * _FRAME_BYTES).serialize(mask=False)[: _FRAME_BYTES // 2]
_DIALLING = Dialling(connect_timeout_s=30, frame_max_bytes=_FRAME_BYTES, ping_interval_s=30, proxies={})


async def _half(websocket: ServerConnection) -> None:
    websocket.transport.write(_HALF)
    await websocket.drain()
    websocket.transport.close()


def _free(what: Unasked, size_bytes: int) -> None:
    """Charge nothing."""


async def _connect(url: str, times: int) -> None:
    at = normalize(url, allow_private=True)
    record = RelayRecord(url=at.url, network=at.network, source="test", allow_private=True, updated_at_ms=0)
    for _ in range(times):
        connection = await open_connection(record, at, _DIALLING)
        try:
            await connection.read(lambda _: None, Unlimited(), _free)
        except RelayError:
            pass
        finally:
            await connection.close()


async def main(connections: int, at_once: int) -> None:
    """Connect, again and again."""
    gc.disable()
    async with serve(_half, "127.0.0.1", 0, compression=None, close_timeout=0.1, ping_interval=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        await asyncio.gather(*(_connect(url, 1) for _ in range(at_once)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await asyncio.gather(*(_connect(url, connections // at_once) for _ in range(at_once)))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        existing = sum(type(each) is PushConnection for each in gc.get_objects())
        sys.stdout.write(f"{grown} {existing}\n")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
