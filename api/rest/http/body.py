"""Reads the JSON body of a POST, bounded in bytes and time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import orjson
from starlette.requests import Request

from api.rest.problem import ProblemError

_PATIENCE_S = 10.0
"""A body of the largest size takes a second on a slow line; a client that dawdles keeps a connection meanwhile."""


async def read_json(request: Request, most_bytes: int, patience_s: float = _PATIENCE_S) -> object:
    """Decode the body.

    Raises:
        ProblemError: it is of another type, too long, too slow, or no JSON.
        ClientDisconnect: the client has gone.
    """
    _check_type(request)
    try:
        async with asyncio.timeout(patience_s):
            body = await _read(request, most_bytes)
    except TimeoutError:
        detail = f"the body did not arrive within {patience_s:g} seconds; send it at once"
        raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail) from None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        detail = f'the body is not JSON ({error}); send a filter such as {{"kinds":[1]}}'
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from None


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if given != "application/json":
        detail = "the body must be JSON; send it with the header Content-Type: application/json"
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        detail = "the body is compressed; send it as it is, without the header Content-Encoding"
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


async def _read(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            detail = f"the body has more than {most_bytes} bytes; ask in several requests"
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    return bytes(body)
