"""An HTTP connection whose requests end in time, and whose answers are read in time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from api.connections.config import logger, places_of
from api.connections.places import Refusal
from api.connections.refusing import wire_response_of
from api.connections.slowness import Slowness

_PORTION_BYTES = 8 * 1024
"""The parser looks at the length of a head only while that is incomplete, so it is not given 256 KB at once."""


class HttpConnection(H11Protocol):
    """One connection; uvicorn makes it."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = logger
        self._places = places_of(config)
        self._requested_since_s: float | None = None
        self._is_websocket = False
        self._slowness: Slowness

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Take a place, or refuse the connection."""
        refusal = self._places.enter(transport, self, get_remote_addr(transport))
        if refusal is not None:
            transport.set_protocol(asyncio.Protocol())
            transport.write(wire_response_of(refusal))
            transport.close()
            return
        super().connection_made(transport)
        self._slowness = Slowness(transport, self._places.bounds)
        self._requested_since_s = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._places.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse portions, until one is no HTTP or begins a websocket."""
        for start in range(0, len(data), _PORTION_BYTES):
            super().data_received(data[start : start + _PORTION_BYTES])
            if self._is_websocket or self.transport.is_closing():
                return
        self._note_request()

    def on_response_complete(self) -> None:
        """Go on with the next request, but not beside the rest of one that was answered too early."""
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.pause_reading()
            self.loop.call_later(self._places.bounds.after_answer_s, self.transport.close)
            return
        super().on_response_complete()
        self._note_request()

    def resume_writing(self) -> None:
        """Note that a reader has read."""
        self._slowness.has_read()
        super().resume_writing()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Go on as a websocket."""
        self._is_websocket = True
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, which name no remedy
        """Refuse what is no HTTP, unless an answer is under way, which it ends."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE} and (
            self.cycle is None or self.cycle.response_complete
        ):
            most = self._places.bounds.head_bytes
            detail = f"that is no HTTP/1.1, or its address and headers have more than {most} bytes; ask by POST"
            self.transport.write(wire_response_of(Refusal(HTTPStatus.BAD_REQUEST, detail)))
        self.transport.close()

    def is_overdue(self, now_s: float) -> bool:
        """Whether a request or the reading of an answer takes too long."""
        if self._slowness.closes_slowly(now_s) or self._slowness.reads_slowly(now_s):
            return True
        bounds = self._places.bounds
        limit_s = bounds.head_s if self.conn.their_state is h11.IDLE else bounds.body_s
        return self._requested_since_s is not None and now_s - self._requested_since_s > limit_s

    def _note_request(self) -> None:
        """Note since when a request is incomplete."""
        state = self.conn.their_state
        if state is h11.SEND_BODY or (state is h11.IDLE and self.conn.trailing_data[0]):
            if self._requested_since_s is None:
                self._requested_since_s = self.loop.time()
        elif state is not h11.IDLE or self.cycle is not None:
            self._requested_since_s = None
