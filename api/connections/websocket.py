"""A websocket whose messages end in time, and whose frames are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import uvicorn
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame

from api.connections.config import logger, places_of
from api.connections.parts import parts
from api.connections.slowness import Slowness

_PORTION_BYTES = 4 * 1024
"""At most 680 frames are parsed before they are charged: some milliseconds."""
_READY_BYTES = 16 * 1024
"""A part is written while the buffer has no more than this: some short messages at a time, and one part beside."""


class WebSocketConnection(WebSocketsSansIOProtocol):
    """One connection; uvicorn makes it of an HTTP connection."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = logger
        self.conn.logger = logger
        self._places = places_of(config)
        self._client = ""
        self._made_s = self.loop.time()
        self._begun_s: float | None = None
        self._has_failed = False
        self._slowness: Slowness

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the place of the HTTP connection."""
        super().connection_made(transport)
        self._places.hand_over(self.transport, self)
        self.transport.set_write_buffer_limits(high=_READY_BYTES)
        self._slowness = Slowness(self.transport, self._places.bounds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._places.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse portions, until one has too much."""
        for start in range(0, len(data), _PORTION_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _PORTION_BYTES])
        if not self.handshake_initiated:
            # Headers that the library refuses: it would leave the connection as it is.
            self.transport.close()
        elif self.frames or self.conn.reader.buffer:
            if self._begun_s is None:
                self._begun_s = self.loop.time()
        else:
            self._begun_s = None

    def handle_events(self) -> None:
        """Charge the client for frames, then hand them on."""
        frames = len(self.conn.events) if self.handshake_initiated else 0
        super().handle_events()
        if self.handshake_initiated and not self._client:
            self._client = self._places.client_of(self.client, self.scope["headers"])
        refusal = self._places.charge(self._client, frames)
        if refusal is not None:
            self._fail(CloseCode.POLICY_VIOLATION, refusal.detail)
        elif self.queue.qsize() > self._places.bounds.waiting_messages:
            self._fail(CloseCode.POLICY_VIOLATION, "too many messages wait; await answers first")

    def handle_cont(self, event: Frame) -> None:
        """Take one more fragment, if the message has not too many."""
        if len(self.frames) >= self._places.bounds.fragments:
            self._fail(CloseCode.POLICY_VIOLATION, "too many fragments; send a message in one frame")
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand on a message, unless it is no text."""
        self._begun_s = None
        try:
            if self.curr_msg_data_type == "text":
                b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self.frames = []
            self._fail(CloseCode.INVALID_DATA, "a text message is no UTF-8")
        else:
            super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping of a client that reads."""
        if self.transport.get_write_buffer_size() > self._places.bounds.unsent_bytes:
            self.transport.abort()
        else:
            super().handle_ping()

    def handle_parser_exception(self) -> None:
        """Close after a frame that is none, which may come before the websocket was accepted."""
        self._has_failed = True
        if self.conn.close_sent is None:
            self.transport.abort()
        else:
            super().handle_parser_exception()

    async def send(self, message: ASGISendEvent) -> None:
        """Send, unless the connection is closed by us, for a broken protocol or an unanswered ping.

        No application can know of that yet: it is told by the next message that it receives. Beside `text` and `bytes`
        of ASGI a message may have `buffers`: UTF-8 that is put together as far as the connection is ready for it.
        """
        buffers = cast("Mapping[str, Any]", message).get("buffers")
        if buffers is not None:
            await self._send_parts(buffers)
            return
        self._raise_if_closed()
        await super().send(message)

    def is_overdue(self, now_s: float) -> bool:
        """Whether opening, a message or closing takes too long, or too much is unread."""
        bounds = self._places.bounds
        return (
            self._slowness.closes_slowly(now_s)
            or self.transport.get_write_buffer_size() > bounds.unsent_bytes
            or (not self.handshake_complete and now_s - self._made_s > bounds.head_s)
            or (self._begun_s is not None and now_s - self._begun_s > bounds.body_s)
        )

    async def _send_parts(self, buffers: Sequence[bytes]) -> None:
        for part in parts(buffers):
            await self.writable.wait()
            self._raise_if_closed()
            if self.transport.is_closing():  # its end may not have been told yet
                raise ClientDisconnected
            send = self.conn.send_text if part.is_first else self.conn.send_continuation
            try:
                send(b"".join(part.pieces), part.is_last)
            except InvalidState as error:
                raise ClientDisconnected from error
            self.transport.write(b"".join(self.conn.data_to_send()))

    def _raise_if_closed(self) -> None:
        if self._has_failed or self.close_sent or self.disconnected:
            raise ClientDisconnected

    def _fail(self, code: CloseCode, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()
