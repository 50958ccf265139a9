"""Serves the OpenAPI document, and the reference page that shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.context import Context
from api.rest.answering import JSON
from api.rest.endpoint import Endpoint
from api.rest.http.caching import Body
from api.rest.openapi import document

_ASSETS = Path(__file__).parent / "reference_page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
"""Images: swagger-ui.css has its icons as data."""


def document_routes(context: Context, endpoints: Sequence[Endpoint[Any]]) -> list[BaseRoute]:
    """`/openapi.json` and `/docs`."""
    api = context.settings.api
    # The page asks what the document names as its server, which need not be the address that it was opened at.
    policy = f"{_POLICY}; connect-src 'self' {api.public_url}" if api.public_url else _POLICY
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    described = Body(orjson.dumps(document(endpoints, api)), JSON, {})
    assets = {f"/docs/{file.name}": file for file in _ASSETS.iterdir() if file.suffix in {".js", ".css"}}
    return [
        Route("/openapi.json", _constant(described)),
        *(
            Route(path, _constant(Body(file.read_bytes(), _TYPES[file.suffix], headers)))
            for path, file in {"/docs": _ASSETS / "index.html", **assets}.items()
        ),
    ]


def _constant(body: Body) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        return await body.response(request)

    return respond
