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
_PAGE_HEADERS = {
    # Images: swagger-ui.css has its icons as data.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}


def document_routes(context: Context, endpoints: Sequence[Endpoint[Any]]) -> list[BaseRoute]:
    """`/openapi.json` and `/docs`."""
    described = Body(orjson.dumps(document(endpoints, context.settings.api)), JSON, {})
    assets = {f"/docs/{file.name}": file for file in _ASSETS.iterdir() if file.suffix in {".js", ".css"}}
    return [
        Route("/openapi.json", _constant(described)),
        *(
            Route(path, _constant(Body(file.read_bytes(), _TYPES[file.suffix], _PAGE_HEADERS)))
            for path, file in {"/docs": _ASSETS / "index.html", **assets}.items()
        ),
    ]


def _constant(body: Body) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        return await body.response(request)

    return respond
