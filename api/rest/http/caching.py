"""Conditional requests: caches ask each time, so that erased and hidden events do not live on in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from api.rest.http.compression import Coding, choose, compressed

CACHE_CONTROL = "no-cache"
"""May be kept, and is asked for again before each use: the answer is 304 while nothing has changed."""

_BYTES = 16
"""Of the digest: enough that no two bodies share one."""
_TAG = re.compile(r'(?:W/)?"([0-9a-f]+)(?:-\w+)?"')


class Body:
    """A body that may be asked for many times: its ETag, and its codings as they are wanted.

    Args:
        data: the body.
        media_type: its type.
        headers: of each answer.
    """

    def __init__(self, data: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        self._data = data
        self._media_type = media_type
        self._headers = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept-Encoding", **headers}
        self._digest = blake2b(data, digest_size=_BYTES).hexdigest()
        self._codings: dict[Coding | None, tuple[bytes, Coding | None]] = {}

    async def response(self, request: Request, *, conditional: bool = True) -> Response:
        """The body as a client accepts it, or 304 where it has it already.

        Args:
            request: of the client.
            conditional: look at If-None-Match, which is for GET and HEAD.
        """
        wanted = choose(request.headers.get("accept-encoding", ""))
        if wanted not in self._codings:
            self._codings[wanted] = await compressed(self._data, wanted)
        data, coding = self._codings[wanted]
        headers = {**self._headers, "ETag": etag(self._digest, coding)}
        if conditional and is_known(self._digest, ",".join(request.headers.getlist("if-none-match"))):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if coding is not None:
            headers["Content-Encoding"] = coding
        return Response(data, headers=headers, media_type=self._media_type)


def etag(digest: str, coding: Coding | None) -> str:
    """The strong ETag of a body in a coding: other bytes have another (RFC 9110, 8.8.3.3)."""
    return f'"{digest}"' if coding is None else f'"{digest}-{coding}"'


def is_known(digest: str, if_none_match: str) -> bool:
    """Whether a client has a body already, in whatever coding."""
    return if_none_match.strip() == "*" or digest in _TAG.findall(if_none_match)
