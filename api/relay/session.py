"""One connection of a client: reads its messages, answers and sends at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

from starlette.websockets import WebSocket, WebSocketDisconnect

from api.context import Context
from api.live.feed import Feed
from api.relay.authentication import Login, own_authority
from api.relay.conversation import Conversation, CutError
from api.relay.outbox import Outbox
from api.relay.requests import Requests
from api.relay.unsent import Unsent

POLICY_VIOLATION = 1008
"""Close code of RFC 6455 for a client that keeps to no bounds."""
_CLOSE_S = 5.0
"""For the close frame of a client that may not read."""
_CHALLENGE_BYTES = 16
"""Too many to be guessed."""


class Session:
    """One connection.

    Args:
        context: of the API.
        feed: gives new events.
        unsent: counts what waits for all readers.
        websocket: of the client, not yet accepted.
    """

    def __init__(self, context: Context, feed: Feed, unsent: Unsent, websocket: WebSocket) -> None:
        api = context.settings.api
        authority = own_authority(api.public_url, websocket.headers.get("host", ""))
        login = Login(secrets.token_hex(_CHALLENGE_BYTES), authority)
        client = context.addresses.of(websocket)
        self._websocket = websocket
        self._outbox = Outbox(api.unsent_bytes, unsent)
        self._requests = Requests(context, feed, client=client, login=login, outbox=self._outbox)
        self._conversation = Conversation(context, client, login, self._requests, self._outbox)

    async def run(self) -> None:
        """Serve the client until it or we close the connection."""
        try:
            await self._websocket.accept()
            await self._serve()
        finally:
            self._outbox.end()

    async def _serve(self) -> None:
        parts = (self._read(), self._requests.answer_all(), self._outbox.send_all(self._send))
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            ends: list[asyncio.Future[None]] = [*tasks, self._outbox.is_full]
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._requests.end_all()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        try:
            for ended in done:
                ended.result()
        except CutError as error:
            await self._close(str(error))
        except WebSocketDisconnect:
            return
        if self._outbox.is_full in done:
            await self._close("too slow: messages for you filled their buffer")

    async def _read(self) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            self._conversation.take(message.get("text"))
            await asyncio.sleep(0)  # Messages that have arrived come without a break: others have their turn.

    async def _send(self, buffers: Sequence[bytes]) -> None:
        await self._websocket.send({"type": "websocket.send", "buffers": buffers})

    async def _close(self, reason: str) -> None:
        with contextlib.suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(_CLOSE_S):
                await self._websocket.close(POLICY_VIOLATION, reason)
