"""REST: JSON about events, authors, addresses and relays, described by an OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from api.context import Context
from api.rest.answering import answering
from api.rest.documents import document_routes
from api.rest.endpoint import Endpoint
from api.rest.http.sent_path import SentPathRoute
from api.rest.table import ENDPOINTS


def routes(context: Context) -> list[BaseRoute]:
    """The paths below `/v1`, the OpenAPI document and its reference page."""
    paths: dict[str, list[Endpoint[Any]]] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, []).append(each)
    # Longer paths first: a parameter that takes slashes would take the rest of theirs.
    ordered = sorted(paths.items(), key=lambda item: -item[0].count("/"))
    return [
        *(_route(path, endpoints, context) for path, endpoints in ordered),
        *document_routes(context, ENDPOINTS),
    ]


def _route(path: str, endpoints: Sequence[Endpoint[Any]], context: Context) -> BaseRoute:
    """One route for all methods of a path, so that `Allow` names them all."""
    handlers = {"POST" if each.body else "GET": answering(each, context) for each in endpoints}

    async def respond(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return SentPathRoute(path, respond, methods=list(handlers))
