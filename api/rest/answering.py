"""Answers one request: charged, validated, answered by its endpoint, and written as the client accepts it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote, unquote_plus

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from api.context import Context
from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.failures import reading
from api.rest.http import charging
from api.rest.http.accept import media_type
from api.rest.http.body import read_json
from api.rest.http.caching import CACHE_CONTROL, Body
from api.rest.http.compression import choose
from api.rest.lines import LINES, Lines
from api.rest.parameters import read_question
from api.rest.problem import ProblemError, problem_response

JSON = "application/json"
_COUNT = re.compile(r'(?:^|,)\s*count\s*=\s*"?estimated"?\s*(?:$|[,;])')

_OF_ADDRESSES = "%/?:@!$&'()*+,;=-._~"
"""What stands in an address as it is (RFC 3986); it was encoded once already."""


def answering(endpoint: Endpoint[Question], context: Context) -> Callable[[Request], Awaitable[Response]]:
    """Make the handler of an endpoint's route."""

    async def respond(request: Request) -> Response:
        client = context.addresses.of(request)
        allowance = context.rates.take(client)
        # Of problems too: a cache that keeps any answer must know what it depends on.
        headers = {"Vary": _vary(endpoint), **charging.rate_headers(context, allowance)}
        try:
            charging.check(context, allowance)
            return await _answer(endpoint, context, client, request, headers)
        except ProblemError as error:
            return problem_response(error, headers)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # goes nowhere

    return respond


async def _answer(
    endpoint: Endpoint[Question], context: Context, client: str, request: Request, headers: dict[str, str]
) -> Response:
    offered = (JSON, LINES) if endpoint.lines else (JSON,)
    media = media_type(request.headers.get("accept", ""), offered)
    if media is None:
        raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, f"Accept: the answer is {' or '.join(offered)}; accept that")
    # Lines have no place for a count.
    may_count = endpoint.counts and media == JSON
    wants_count = may_count and _COUNT.search(",".join(request.headers.getlist("prefer")).lower()) is not None
    body = {endpoint.body: await _body(context, request)} if endpoint.body else {}
    query = request.scope["query_string"].decode("latin-1")
    question = read_question(endpoint.question, request.path_params, query, body)
    asked = Asked(context, client, question, wants_count)
    headers["Cache-Control"] = CACHE_CONTROL
    if wants_count:
        headers["Preference-Applied"] = "count=estimated"
    with reading():
        answer = await endpoint.respond(asked)
    if media == LINES:
        if request.method == "HEAD":
            return StreamingResponse(iter(()), headers=headers, media_type=LINES)
        return Lines(endpoint, asked, answer, choose(request.headers.get("accept-encoding", "")), headers)
    if (link := _next_link(endpoint, context, request.scope["raw_path"].decode("latin-1"), query, answer)) is not None:
        headers["Link"] = link
    written = Body(orjson.dumps(answer.model_dump(by_alias=True)), JSON, headers)
    return await written.response(request, conditional=not endpoint.body)


def _vary(endpoint: Endpoint[Question]) -> str:
    return "Accept, Accept-Encoding, Prefer" if endpoint.counts else "Accept, Accept-Encoding"


async def _body(context: Context, request: Request) -> object:
    return await read_json(request, context.settings.api.message_bytes)


def _next_link(endpoint: Endpoint[Question], context: Context, path: str, query: str, answer: Answer) -> str | None:
    """The Link header to the next page, which can be followed where the question is in the address alone."""
    cursor = getattr(answer, "next", None)
    if cursor is None or endpoint.body:
        return None
    # By their names as they are read: any letter of one may be percent-encoded.
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) != "cursor"]
    target = quote(f"{path}?{'&'.join([*kept, f'cursor={cursor}'])}", _OF_ADDRESSES)
    return f'<{context.settings.api.public_url or ""}{target}>; rel="next"'
