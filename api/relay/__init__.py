"""The read-only relay: NIP-01, NIP-11, NIP-42, NIP-45 and NIP-67."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from api.context import Context
from api.live.feed import Feed
from api.relay import information
from api.relay.session import Session
from api.relay.unsent import Unsent


def routes(context: Context, feed: Feed) -> list[BaseRoute]:
    """The path `/`: the websocket of the relay, its document, and a greeting for all others."""
    document = information.document(context.settings)
    greeting = information.greeting(context.settings)
    unsent = Unsent()
    headers = {"Vary": "Accept", **information.CORS}

    async def root(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        if information.wants_document(request.headers.get("accept", "")):
            return Response(document, media_type=information.DOCUMENT_TYPE, headers=headers)
        return HTMLResponse(greeting, headers=headers)

    async def converse(websocket: WebSocket) -> None:
        await Session(context, feed, unsent, websocket).run()

    return [Route("/", root, methods=["GET", "OPTIONS"]), WebSocketRoute("/", converse)]
