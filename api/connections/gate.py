"""Every request passes here before it reaches an endpoint."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import suppress
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from api.connections.places import Places, Refusal
from api.connections.refusing import response_of


class Gate:
    """Charges requests to clients, which a trusted proxy names, and refuses what is above their bounds.

    Args:
        app: what answers the others.
        places: the connections and who has them.
    """

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse a request."""
        client = self._places.client_of(scope["client"], scope["headers"])
        refusal = self._places.charge(client)
        most = self._places.bounds.headers
        if refusal is None and len(scope["headers"]) > most:
            refusal = Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {most} headers")
        if refusal is not None:
            await _refuse(refusal, scope, send)
        elif not self._places.is_forwarded(scope["client"]):
            await self._serve(scope, receive, send)
        else:
            refusal = self._places.take_share(client)
            if refusal is not None:
                await _refuse(refusal, scope, send)
                return
            try:
                await self._serve(scope, receive, send)
            finally:
                self._places.give_back(client)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A client that goes away is no error of ours: uvicorn would log it as one.
        with suppress(ClientDisconnect, WebSocketDisconnect):
            try:
                await self._app(scope, receive, send)
            except CancelledError:
                # At a stop, uvicorn cancels what has not ended in time, and would log that with a traceback too.
                if not self._places.is_ending:
                    raise


async def _refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    headers, body = response_of(refusal)
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{kind}.start", "status": refusal.status.value, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
