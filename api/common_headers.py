"""Headers of every HTTP answer: pages of any origin may read them (CORS), and no browser guesses their types."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVERY = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After",
    "X-Content-Type-Options": "nosniff",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match, Prefer",
    "Access-Control-Max-Age": "86400",
}
"""Nothing is read by a cookie or a login, so that there is nothing to protect from other origins."""


class CommonHeaders:
    """Adds them, where an answer has none of that name, and answers preflight requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _EVERY.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._app
        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            app = Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
        await app(scope, receive, with_headers)
