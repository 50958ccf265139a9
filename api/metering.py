"""Counts what the API answers: an ASGI application around another."""

from __future__ import annotations

import time
from collections.abc import Sized

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import metrics

_SUBJECTS = frozenset({"events", "addresses", "authors", "relays"})
_REFERENCE = ("/openapi.json", "/docs")
_UNANSWERED = 5
"""Class of the status where an application ends without an answer, as one that fails does."""


class Metered:
    """Passes everything on.

    Args:
        app: answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one websocket connection."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "websocket":
                await self._converse(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.monotonic()
        endpoint = subject(scope["path"])
        status = _UNANSWERED
        sent = metrics.API_SENT.labels("http")

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"] // 100
            elif message["type"] == "http.response.body":
                sent.inc(_size(message.get("body")))
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            metrics.API_REQUESTS.labels(endpoint, f"{status}xx").inc()
            metrics.API_SECONDS.labels(endpoint).observe(time.monotonic() - began_s)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False
        sent = metrics.API_SENT.labels("websocket")

        async def counting(message: Message) -> None:
            nonlocal is_open
            if message["type"] == "websocket.send":
                sent.inc(_size_of_message(message))
            elif message["type"] == "websocket.accept":
                is_open = True
                metrics.API_REQUESTS.labels("websocket", "1xx").inc()
                metrics.API_WEBSOCKETS.inc()
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            if is_open:
                metrics.API_WEBSOCKETS.dec()
            else:
                metrics.API_REQUESTS.labels("websocket", "4xx").inc()


def subject(path: str) -> str:
    """What a path is about, in one of a few words: a label must not be a text of a client."""
    if path == "/":
        return "relay"
    if path.startswith(_REFERENCE):
        return "reference"
    _, version, name, *_ = [*path.split("/", 3), "", ""]
    return name if version == "v1" and name in _SUBJECTS else "other"


def _size(data: Sized | None) -> int:
    return 0 if data is None else len(data)


def _size_of_message(message: Message) -> int:
    if "buffers" in message:
        return sum(map(len, message["buffers"]))
    return _size(message.get("bytes")) or _size_of_text(message.get("text") or "")


def _size_of_text(text: str) -> int:
    # The server encodes it, too: most messages need no second time for their length.
    return len(text) if text.isascii() else len(text.encode())
