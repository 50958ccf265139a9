"""The application: what is served under which path, and what applies to all HTTP."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from api import relay, rest
from api.common_headers import CommonHeaders
from api.context import Context
from api.live.feed import Feed
from api.rest.problem import ProblemError, problem_response

_DETAILS = {
    HTTPStatus.NOT_FOUND: "there is nothing under this path; /docs has the paths that there are",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path takes other methods, which the header Allow names",
}


def make_app(context: Context, feed: Feed) -> ASGIApp:
    """Put REST and the relay together."""
    app = Starlette(
        routes=[*relay.routes(context, feed), *rest.routes(context)],
        exception_handlers={HTTPException: _http_problem, Exception: _own_error},
    )
    app.router.redirect_slashes = False
    return CommonHeaders(app)


async def _http_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    return problem_response(ProblemError(status, _DETAILS.get(status, error.detail)), error.headers)


async def _own_error(_request: Request, _error: Exception) -> Response:
    detail = "the archive has an error of its own, which its log tells; the same request may fail again"
    return problem_response(ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
