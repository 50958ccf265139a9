"""Asks an ASGI application without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from starlette.types import ASGIApp, Message


class Told(NamedTuple):
    """What an application answered; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    parts: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


async def ask(
    app: ASGIApp,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    received: Iterable[Message] = (),
    *,
    leaves_after: int | None = None,
) -> Told:
    """Send one request.

    Args:
        app: the application.
        method: of HTTP.
        target: path and query.
        headers: of the request.
        received: messages that the application receives; after them it waits.
        leaves_after: the client goes when it has so many parts of the body.
    """
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("192.0.2.1", 4711),
        "server": ("127.0.0.1", 80),
    }
    waiting = list(received)
    gone = asyncio.Event()
    told = Told(0, {}, [])

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal told
        if message["type"] == "http.response.start":
            named = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            told = told._replace(status=message["status"], headers=named)
        elif message.get("body"):
            told.parts.append(message["body"])
            if len(told.parts) == leaves_after:
                gone.set()
                await asyncio.sleep(0)

    await app(scope, receive, send)
    return told


def body(*parts: bytes) -> list[Message]:
    """A body in parts, as an application receives it."""
    return [
        {"type": "http.request", "body": part, "more_body": place < len(parts)} for place, part in enumerate(parts, 1)
    ]
